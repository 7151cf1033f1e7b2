"""The ASGI application: live streams by their own door, pages and API by Django, which gets bounded bodies."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")
django.setup(set_prefix=False)

from .body_limit import BodyLimit  # noqa: E402  (they want Django to be set up)
from .handler import Handler  # noqa: E402
from .live.door import Door  # noqa: E402

application = Door(BodyLimit(Handler()))
