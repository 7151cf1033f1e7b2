"""The ASGI application: pages and API by Django, live streams beside it."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")
application = get_asgi_application()
