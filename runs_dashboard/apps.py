from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class RunsDashboardConfig(AppConfig):
    name = "runs_dashboard"
    verbose_name = "Runs Dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the system checks)
        from .models import failure_triggers, rollup_triggers

        for triggers in (rollup_triggers.TRIGGERS, failure_triggers.TRIGGERS):
            pre_migrate.connect(triggers.remove, sender=self)
            post_migrate.connect(triggers.install, sender=self)
