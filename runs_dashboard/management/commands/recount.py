"""`manage.py recount`: the roll-ups behind the insights, and the groups of failures, counted afresh."""

from typing import Any

from ...models import recount, recount_failures
from ..plain_command import PlainCommand


class Command(PlainCommand):
    help = "Counts all runs and steps afresh for the insights, a week at a time, and failures for the inbox."

    def handle(self, **options: Any) -> None:
        self.require_database()
        weeks = recount(self.print)
        self.print(f"{weeks:,} {'week' if weeks == 1 else 'weeks'} counted.")
        failures = recount_failures()
        self.print(f"{failures:,} {'failure' if failures == 1 else 'failures'} counted.")
