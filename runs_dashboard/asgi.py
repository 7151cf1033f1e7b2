"""The ASGI application: live streams by their own door, pages and API by Django."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")
pages = get_asgi_application()

from .live.door import Door  # noqa: E402  (it imports models, which want Django to be set up)

application = Door(pages)
