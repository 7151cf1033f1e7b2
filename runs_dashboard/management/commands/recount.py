"""`manage.py recount`: the roll-ups behind the insights, counted afresh."""

from typing import Any

from ...models import recount
from ..plain_command import PlainCommand


class Command(PlainCommand):
    help = "Counts all runs and steps afresh for the insights, a week at a time, while everything goes on."

    def handle(self, **options: Any) -> None:
        self.require_database()
        weeks = recount(self.print)
        self.print(f"{weeks:,} {'week' if weeks == 1 else 'weeks'} counted.")
