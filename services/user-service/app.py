"""The WSGI application that the server loads."""

from user_service import create_app
from user_service.settings import Settings

app = create_app(Settings())
