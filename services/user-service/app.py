"""The door: the server loads `app` from here."""

from user_service import create_app
from user_service.settings import Settings

app = create_app(Settings())
