"""Where the product's database is, as far as a step is told."""

import os
from pathlib import Path

from runs_dashboard.chores.report import ChoreError, read_setting


def find_postgres() -> str:
    """The address in DATABASE_URL, or nothing: the database is an SQLite file then."""
    url = os.environ.get("DATABASE_URL", "")
    return url if url.startswith(("postgres://", "postgresql://")) else ""


def find_sqlite() -> Path:
    """DATA_DIR/db.sqlite3. Raises ChoreError where it is not, so that nobody makes an empty one by mistake."""
    path = Path(read_setting("DATA_DIR")) / "db.sqlite3"
    if not path.is_file():
        raise ChoreError(
            f"There is no database at {path}. On PostgreSQL a step needs its address: see the comment in backup.yaml."
        )
    return path
