"""Django's own ASGI application, which some server may use in place of the product's."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")
application = get_asgi_application()
