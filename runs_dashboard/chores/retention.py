"""Applies the retention rules: what `manage.py purge` does, with what it freed."""

import os
import shutil
from pathlib import Path

from runs_dashboard.chores.manage import run_manage
from runs_dashboard.chores.report import ChoreError, format_size, read_setting, report, say


def main() -> None:
    """Deletes what the rules no longer keep; INPUT_DAYS, if given, overrules them. Raises ChoreError."""
    data_dir = Path(read_setting("DATA_DIR"))
    days = os.environ.get("INPUT_DAYS", "")
    before = shutil.disk_usage(data_dir).free
    status = run_manage("purge", *(["--days", days] if days else []))
    if status:
        raise ChoreError(f"The purge failed with exit status {status}; what it had deleted stays deleted.")
    freed = max(0, shutil.disk_usage(data_dir).free - before)
    say(f"Done. {format_size(freed)} more are free on the disk; the database reuses the rest itself.")
    report(metric={"freed_bytes": freed})
