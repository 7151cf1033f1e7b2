from django.apps import AppConfig


class RunsDashboardConfig(AppConfig):
    name = "runs_dashboard"
    verbose_name = "Runs Dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the system checks)
