"""Is this installation well? Each check is a step of its own, so that the page says which one is not."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from runs_dashboard.chores.database import find_postgres, find_sqlite
from runs_dashboard.chores.manage import run_manage
from runs_dashboard.chores.report import ChoreError, format_size, read_number, read_setting, report, say, warn


def check_deployment() -> None:
    """Django's own deployment checks, and whether all migrations are applied. Raises ChoreError."""
    if run_manage("check", "--deploy", "--fail-level", "ERROR", "--no-color"):
        raise ChoreError("The deployment check found errors; they are listed above.")
    if run_manage("migrate", "--check", "--no-color"):
        raise ChoreError("Migrations are not applied: stop the product and start it with `manage.py up` once.")
    say("The settings are sound and the database's tables are up to date.")


def check_disk() -> None:
    """Warns when less than INPUT_MIN_FREE_PERCENT (10) of DATA_DIR's disk is free.

    Raises ChoreError below a tenth of that.
    """
    folder = Path(read_setting("DATA_DIR"))
    wanted = read_number("INPUT_MIN_FREE_PERCENT", 10)
    usage = shutil.disk_usage(folder)
    percent = 100 * usage.free / usage.total
    said = f"{format_size(usage.free)} of {format_size(usage.total)} are free ({percent:.1f} %)"
    report(
        output={"free_bytes": usage.free, "total_bytes": usage.total},
        metric={"disk_free_percent": round(percent, 1)},
    )
    for part in sorted(path for path in folder.iterdir() if not path.is_symlink()):
        size = measure(part)
        if size >= 1024 * 1024:
            say(f"  {part.name}: {format_size(size)}")
    if percent < wanted / 10:
        raise ChoreError(f"The disk is nearly full: {said}. Runs would soon fail to write their logs.")
    if percent < wanted:
        warn(f"The disk is filling up: {said}, wanted are {wanted} %.")
    else:
        say(f"{said}.")


def measure(path: Path) -> int:
    """Bytes of a file or of all files under a folder; links are not followed, vanished files not counted."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(Path(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total


def check_database() -> None:
    """SQLite: every page is sound, every reference leads somewhere. PostgreSQL: it answers.

    Raises ChoreError where that is not so.
    """
    if find_postgres():
        if run_manage("check", "--database", "default", "--no-color"):
            raise ChoreError("The database does not answer as it should; the reason is above.")
        say("PostgreSQL answers; it checks its pages itself.")
        return
    database = find_sqlite()
    say(f"Reading all of {database} ({format_size(measure(database))}).")
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=60)) as connection:
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
            loose = connection.execute("PRAGMA foreign_key_check").fetchmany(20)
    except sqlite3.Error as error:
        raise ChoreError(f"SQLite says: {error}.") from error
    for fault in faults:
        say(f"ERROR {fault}")
    for table, row, parent, _ in loose:
        say(f"ERROR {table} row {row} points to a row of {parent} that is not there")
    report(output={"faults": len(faults) + len(loose)})
    if faults or loose:
        raise ChoreError("The database is damaged: restore the newest backup, see the flow `backup`.")
    say("The database is sound.")
