"""`python -m runs_dashboard.chores CHORE`: runs one chore. Exit status 1 and a sentence when it fails."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from io import TextIOWrapper

from runs_dashboard.chores.report import ChoreError, say

CHORES = {
    "backup": ("backup", "main"),
    "retention": ("retention", "main"),
    "check-deployment": ("selfcheck", "check_deployment"),
    "check-disk": ("selfcheck", "check_disk"),
    "check-database": ("selfcheck", "check_database"),
    "hello": ("hello", "greet"),
    "hello-levels": ("hello", "show_levels"),
    "hello-work": ("hello", "work"),
    "order-check": ("order", "check"),
    "order-pack": ("order", "pack"),
    "order-label": ("order", "label"),
    "order-close": ("order", "close"),
}


def run(arguments: Sequence[str]) -> int:
    """Runs the chore that the one argument names; answers with the exit status."""
    if len(arguments) != 1 or arguments[0] not in CHORES:
        say(f"ERROR usage: python -m runs_dashboard.chores {'|'.join(CHORES)}", sys.stderr)
        return 2
    module, function = CHORES[arguments[0]]
    chore: Callable[[], None] = getattr(import_module(f"runs_dashboard.chores.{module}"), function)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # whatever LANG says: a log is UTF-8
    try:
        chore()
    except ChoreError as error:
        say(f"ERROR {error}", sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
