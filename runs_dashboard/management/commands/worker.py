"""`manage.py worker`: the half that executes runs, for many machines."""

from typing import Any

from django.conf import settings

from ..plain_command import PlainCommand


class Command(PlainCommand):
    help = "Executes runs until Ctrl-C or SIGTERM, which lets running ones end first."

    def handle(self, **options: Any) -> None:
        from ...execution.worker import run_worker

        self.check(fail_level=40)
        self.require_database()
        how = "by Celery's messages" if settings.BROKER_URL else "from the database"
        self.print(f"Worker: up to {settings.WORKER_SLOTS} runs at once, {how}. Ctrl-C or SIGTERM ends it.")
        run_worker()
        self.print("Ended.")
