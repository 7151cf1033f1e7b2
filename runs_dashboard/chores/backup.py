"""A verified online backup of the product's own database: nothing has to stop for it."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from runs_dashboard.chores.database import find_postgres, find_sqlite
from runs_dashboard.chores.report import ChoreError, format_size, read_number, read_setting, report, say


def main() -> None:
    """Backs up into DATA_DIR/backups, verifies the copy, keeps the newest INPUT_KEEP (7) of them.

    The database is DATA_DIR/db.sqlite3, or the PostgreSQL of DATABASE_URL where the step's env has it.
    Raises ChoreError; a failed backup leaves no file that looks like a good one, and deletes no older one.
    """
    data_dir = Path(read_setting("DATA_DIR"))
    keep = read_number("INPUT_KEEP", 7)
    if keep < 1:
        raise ChoreError("keep is less than 1: there would be no backup left.")
    folder = data_dir / "backups"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = time.monotonic()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    url = find_postgres()
    target = folder / f"{stamp}.{'dump' if url else 'sqlite3'}"
    partial = target.with_suffix(target.suffix + ".partial")
    for left in folder.glob("*.partial*"):
        say(f"An earlier backup was interrupted: {left.name} is removed.")
        left.unlink()
    try:
        if url:
            back_up_postgres(url, partial)
        else:
            back_up_sqlite(find_sqlite(), partial)
        digest = seal(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    size = target.stat().st_size
    say(f"{target} is complete: {format_size(size)}, SHA-256 {digest}.")
    report(output={"path": str(target), "bytes": size, "sha256": digest})
    report(metric={"backup_bytes": size, "backup_seconds": round(time.monotonic() - began, 3)})
    remove_old(folder, keep)


def back_up_sqlite(source: Path, copy: Path) -> None:
    """Copies one moment of the database while others write, then proves the copy. Raises ChoreError."""
    size = sum(path.stat().st_size for path in (source, source.with_name(source.name + "-wal")) if path.exists())
    free = shutil.disk_usage(copy.parent).free
    if free < size * 1.1:
        raise ChoreError(f"{format_size(size)} are to be copied and only {format_size(free)} are free.")
    say(f"Copying {source} ({format_size(size)}); runs go on meanwhile.")
    copy.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True, timeout=60)) as original:
            original.execute("BEGIN")  # one snapshot for the counts and the copy
            counts = count_rows(original)
            with closing(sqlite3.connect(copy)) as target:
                original.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")  # the copy is one file, without a -wal beside it
            say("Copied. Verifying the copy.")
        verify_sqlite(copy, counts)
    except sqlite3.Error as error:
        raise ChoreError(f"SQLite says: {error}.") from error


def verify_sqlite(copy: Path, counts: dict[str, int]) -> None:
    """Raises ChoreError unless the copy is sound and has as many rows as the original had."""
    with closing(sqlite3.connect(copy)) as connection:
        faults = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
        if faults != ["ok"]:
            raise ChoreError(f"The copy is damaged: {'; '.join(faults)}")
        copied = count_rows(connection)
    if copied != counts:
        names = ", ".join(sorted(name for name in counts if counts[name] != copied.get(name)))
        raise ChoreError(f"The copy has other rows than the database: {names}.")
    rows = sum(counts.values())
    say(f"Verified: integrity ok, {rows:,} rows in {len(counts)} tables, as in the database.")
    report(output={"tables": len(counts), "rows": rows, "runs": counts.get("runs_dashboard_run", 0)})


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows by table; virtual tables are left out, their contents lie in tables of their own."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    quoted = [(name, '"' + name.replace('"', '""') + '"') for (name,) in names]
    return {name: connection.execute(f"SELECT count(*) FROM {sql}").fetchone()[0] for name, sql in quoted}  # noqa: S608


def back_up_postgres(url: str, copy: Path) -> None:
    """Dumps the database in pg_dump's own format and reads the dump's contents back. Raises ChoreError."""
    dump, restore = shutil.which("pg_dump"), shutil.which("pg_restore")
    if not dump or not restore:
        raise ChoreError("pg_dump and pg_restore are not installed here: install PostgreSQL's client programs.")
    say("Dumping the PostgreSQL database; runs go on meanwhile.")
    # By the environment: an argument would show the password to everybody on the machine.
    environment = {**os.environ, **read_postgres_url(url)}
    made = subprocess.run([dump, "--format=custom", f"--file={copy}"], env=environment, check=False)
    if made.returncode:
        raise ChoreError(f"pg_dump failed with exit status {made.returncode}.")
    copy.chmod(0o600)
    listing = subprocess.run([restore, "--list", copy], capture_output=True, text=True, check=False)
    tables = sum(" TABLE DATA " in line for line in listing.stdout.splitlines())
    if listing.returncode or not tables:
        raise ChoreError("The dump cannot be read back.")
    say(f"Verified: the dump can be read, it holds {tables} tables.")
    report(output={"tables": tables})


def read_postgres_url(url: str) -> dict[str, str]:
    """libpq's environment variables for a `postgres://user:password@host:port/name` address."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    values = {
        "PGHOST": options.get("host") or unquote(parts.hostname or ""),
        "PGPORT": options.get("port") or str(parts.port or ""),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
        "PGSSLMODE": options.get("sslmode", ""),
    }
    return {name: value for name, value in values.items() if value}


def seal(partial: Path, target: Path) -> str:
    """Puts the verified copy on disk for good under its name; answers with its SHA-256 in hex."""
    with partial.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    partial.rename(target)
    return digest


def remove_old(folder: Path, keep: int) -> None:
    """Removes all but the newest `keep` backups; their names sort by time."""
    backups = sorted((path for path in folder.iterdir() if path.suffix in (".sqlite3", ".dump")), reverse=True)
    for path in backups[keep:]:
        path.unlink()
        say(f"{path.name} is removed: the newest {keep} are kept.")
    report(output={"kept": min(keep, len(backups))})
