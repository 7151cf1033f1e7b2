"""`manage.py worker`: the half that executes runs."""

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Executes runs until SIGTERM or Ctrl-C, which drains."

    def handle(self, *args: Any, **options: Any) -> None:
        from runs_dashboard.execution.worker import run_worker

        run_worker()
