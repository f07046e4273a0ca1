"""The WSGI application that the server loads."""

from order_service import create_app
from order_service.settings import Settings

app = create_app(Settings())
