"""Calls the product's own commands as a process of their own."""

import subprocess
import sys

from runs_dashboard.chores.report import read_setting, say


def run_manage(*arguments: str) -> int:
    """Runs `manage.py` (MANAGE_PY is its path), its output in this step's log; answers with its exit status.

    The database is that of DATA_DIR, or of DATABASE_URL where the flow lists it as a secret.
    Raises ChoreError where a variable is missing.
    """
    command = [sys.executable, read_setting("MANAGE_PY"), *arguments]
    read_setting("DATA_DIR")  # without it the command would make itself a new database beside the code
    say(f"manage.py {' '.join(arguments)}")
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
