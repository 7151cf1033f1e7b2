"""The ASGI application: live streams by their own door, pages and API by Django."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")
django.setup(set_prefix=False)

from .handler import Handler  # noqa: E402  (both want Django to be set up)
from .live.door import Door  # noqa: E402

application = Door(Handler())
