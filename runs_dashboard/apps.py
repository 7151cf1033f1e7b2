from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class RunsDashboardConfig(AppConfig):
    name = "runs_dashboard"
    verbose_name = "Runs Dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the system checks)
        from .models import rollup_triggers

        pre_migrate.connect(rollup_triggers.remove, sender=self)
        post_migrate.connect(rollup_triggers.install, sender=self)
