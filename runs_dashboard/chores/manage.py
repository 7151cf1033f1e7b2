"""Calls the product's own commands as a process of their own."""

import subprocess
import sys

from runs_dashboard.chores.database import find_postgres, find_sqlite
from runs_dashboard.chores.report import read_setting, say


def run_manage(*arguments: str) -> int:
    """Runs `manage.py` (MANAGE_PY is its path), its output in this step's log; answers with its exit status.

    The database is that of DATA_DIR, or of DATABASE_URL where the step's env has it.
    Raises ChoreError where there is none: the command would make itself a new one.
    """
    command = [sys.executable, read_setting("MANAGE_PY"), *arguments]
    if not find_postgres():
        find_sqlite()
    say(f"manage.py {' '.join(arguments)}")
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
