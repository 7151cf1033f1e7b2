"""The migrations: none is missing, and they lead forward, back to nothing, and forward to the same schema."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from .postgres import create_database, drop_database


@pytest.fixture
def empty_database(tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables, of the kind that this test run is about."""
    server = os.environ.get("TEST_DATABASE_URL")
    url = create_database(server) if server else f"sqlite:///{tmp_path / 'migrated.sqlite3'}"
    yield url
    if server:
        drop_database(url)


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_migrations_lead_forward_back_and_forward(empty_database: str) -> None:
    migrate(empty_database)
    schema = read_schema(empty_database)
    ours = [line for line in schema if "runs_dashboard_" in line]
    assert ours

    migrate(empty_database, "runs_dashboard", "zero")
    assert not [line for line in read_schema(empty_database) if "runs_dashboard_" in line]

    migrate(empty_database)
    assert read_schema(empty_database) == schema


def test_tests_run_on_the_database_that_they_name() -> None:
    expected = "postgresql" if "TEST_DATABASE_URL" in os.environ else "sqlite"

    assert connection.vendor == expected
    assert settings.DATABASES["default"]["ENGINE"].endswith((expected, expected + "3"))


def migrate(url: str, *arguments: str) -> None:
    """Run `manage.py migrate` in a process of its own, so that no state of this one helps it."""
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", *arguments],
        env={**os.environ, "DATABASE_URL": url},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def read_schema(url: str) -> list[str]:
    """Tables, columns, indexes, constraints and triggers, a line each, sorted."""
    if url.startswith("sqlite:"):
        lite = sqlite3.connect(url.removeprefix("sqlite:///"))
        rows = lite.execute("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master").fetchall()
        lite.close()
    else:
        with psycopg.connect(url) as full:
            rows = full.execute(SCHEMA_OF_POSTGRES).fetchall()
    return sorted(row[0] for row in rows)


SCHEMA_OF_POSTGRES = """
    SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
    UNION ALL SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal
"""
