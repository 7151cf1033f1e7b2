"""`manage.py purge`: the retention rules, now."""

from argparse import ArgumentParser
from typing import Any

from ...models import Machine, purge
from ..plain_command import Error, PlainCommand


class Command(PlainCommand):
    help = "Deletes runs that the retention rules no longer keep, in small batches, while everything goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, help="days to keep where a flow has no rule of its own; 0 keeps all")

    def handle(self, *, days: int | None, **options: Any) -> None:
        self.require_database()
        try:
            gone = purge(days=days, by=Machine(name="manage.py purge"))
        except ValueError as problem:
            raise Error(f"{problem}.") from problem
        self.print(f"{gone.runs:,} {'run' if gone.runs == 1 else 'runs'} deleted.")
