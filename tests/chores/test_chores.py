"""The bundled flows' programs, each run as the real process that a step starts, in a step's small environment."""

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from runs_dashboard.chores.backup import read_postgres_url
from runs_dashboard.chores.report import format_size

CODE_DIR = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "runs_dashboard.chores"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a step of a bundled flow gets, and nothing else."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C",
        "PYTHONPATH": str(CODE_DIR),
        "DATA_DIR": str(tmp_path),
        "RUN_ID": "0192",
        "STEP_ID": "step",
        "RUN_REPORT": str(tmp_path / "report.ndjson"),
    }


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database in use: WAL, a full-text table, references."""
    path = tmp_path / "db.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            PRAGMA journal_mode=WAL;
            CREATE TABLE runs_dashboard_run (id INTEGER PRIMARY KEY);
            CREATE TABLE "odd ""name" (run INTEGER REFERENCES runs_dashboard_run (id));
            CREATE VIRTUAL TABLE search USING fts5(text, tokenize='trigram');
            INSERT INTO runs_dashboard_run VALUES (1), (2), (3);
            INSERT INTO "odd ""name" VALUES (1);
            INSERT INTO search VALUES ('hello world');
            """
        )
    return path


def run(chore: str, environment: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, chore],
        env={**environment, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def reported(environment: dict[str, str], kind: str) -> dict[str, Any]:
    """All that was reported of one kind, merged as a run does it."""
    entries = [json.loads(line) for line in Path(environment["RUN_REPORT"]).read_text().splitlines()]
    return {key: value for entry in entries for key, value in entry.get(kind, {}).items()}


def backups(folder: Path) -> list[Path]:
    return sorted((folder / "backups").iterdir())


def test_a_backup_is_a_sound_database_with_the_same_rows(environment: dict[str, str], database: Path) -> None:
    done = run("backup", environment)
    assert (done.returncode, done.stderr) == (0, "")
    (copy,) = backups(database.parent)
    output = reported(environment, "output")
    assert output["path"] == str(copy)
    assert output["bytes"] == copy.stat().st_size == reported(environment, "metric")["backup_bytes"]
    assert output["sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert output["runs"] == 3
    assert copy.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT * FROM runs_dashboard_run").fetchall() == [(1,), (2,), (3,)]
        assert connection.execute("SELECT text FROM search WHERE text MATCH 'world'").fetchall() == [("hello world",)]
    assert backups(database.parent) == [copy], "a file lies beside the copy"


def test_a_backup_is_one_moment_while_others_write(environment: dict[str, str], database: Path) -> None:
    """Each transaction adds a row to both tables: in any one moment they have as many more."""
    stop, has_begun = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            while not stop.is_set():
                with connection:
                    connection.execute("INSERT INTO runs_dashboard_run VALUES (NULL)")
                    connection.execute('INSERT INTO "odd ""name" VALUES (1)')
                has_begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert has_begun.wait(30)
        results = [run("backup", environment, INPUT_KEEP="1") for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    assert [(done.returncode, done.stderr) for done in results] == [(0, "")] * 3
    with closing(sqlite3.connect(backups(database.parent)[-1])) as connection:
        runs = connection.execute("SELECT count(*) FROM runs_dashboard_run").fetchone()[0]
        others = connection.execute('SELECT count(*) FROM "odd ""name"').fetchone()[0]
    assert runs - others == 2
    assert runs > 3


def test_only_the_newest_backups_are_kept(environment: dict[str, str], database: Path) -> None:
    folder = database.parent / "backups"
    folder.mkdir()
    for day in range(1, 6):
        (folder / f"2026010{day}T030000Z.sqlite3").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    assert run("backup", environment, INPUT_KEEP="3").returncode == 0
    names = [path.name for path in backups(database.parent)]
    assert names[:2] == ["20260104T030000Z.sqlite3", "20260105T030000Z.sqlite3"]
    assert names[-1] == "notes.txt"
    assert len(names) == 4


def test_a_backup_that_fails_leaves_nothing_and_deletes_nothing(environment: dict[str, str], database: Path) -> None:
    assert run("backup", environment).returncode == 0
    before = backups(database.parent)
    good = database.read_bytes()
    database.with_name("db.sqlite3-wal").unlink(missing_ok=True)
    database.write_bytes(good[:4096] + b"\xff" * (len(good) - 4096))
    done = run("backup", environment, INPUT_KEEP="1")
    assert done.returncode == 1
    assert re.search(r"ERROR (The copy is damaged|SQLite says): ", done.stderr)
    assert "Traceback" not in done.stderr
    assert backups(database.parent) == before


def test_what_a_killed_backup_left_is_removed(environment: dict[str, str], database: Path) -> None:
    (database.parent / "backups").mkdir()
    left = database.parent / "backups" / "20260101T030000Z.sqlite3.partial"
    left.write_bytes(b"half")
    assert run("backup", environment).returncode == 0
    assert not left.exists()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DATA_DIR": ""}, "DATA_DIR is not set"),
        ({}, "There is no database at"),
        ({"INPUT_KEEP": "0"}, "there would be no backup left"),
        ({"INPUT_KEEP": "many"}, "not a whole number"),
        (
            {"DATABASE_URL": "postgres://u:p@127.0.0.1:1/x", "PATH": "/nowhere"},
            "pg_dump and pg_restore are not installed",
        ),
    ],
)
def test_a_backup_that_cannot_be_says_why(
    environment: dict[str, str], variables: dict[str, str], sentence: str
) -> None:
    done = run("backup", environment, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR ")
    assert sentence in done.stderr


def test_the_database_check_passes_a_sound_one(environment: dict[str, str], database: Path) -> None:
    done = run("check-database", environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert reported(environment, "output") == {"faults": 0}


def test_the_database_check_finds_a_reference_that_leads_nowhere(environment: dict[str, str], database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute('INSERT INTO "odd ""name" VALUES (99)')
    done = run("check-database", environment)
    assert done.returncode == 1
    assert 'ERROR odd "name row 2 points to a row of runs_dashboard_run that is not there' in done.stdout
    assert "restore the newest backup" in done.stderr


def test_the_disk_check_reports_what_is_free(environment: dict[str, str]) -> None:
    done = run("check-disk", environment, INPUT_MIN_FREE_PERCENT="0")
    assert done.returncode == 0
    assert 0 < reported(environment, "metric")["disk_free_percent"] <= 100


def test_the_disk_check_warns_before_it_fails(environment: dict[str, str]) -> None:
    warned = run("check-disk", environment, INPUT_MIN_FREE_PERCENT="101")
    assert (warned.returncode, "WARNING The disk is filling up" in warned.stdout) == (0, True)
    failed = run("check-disk", environment, INPUT_MIN_FREE_PERCENT="1010")
    assert (failed.returncode, "The disk is nearly full" in failed.stderr) == (1, True)


@pytest.mark.parametrize(
    ("chore", "variables", "expected"),
    [
        ("retention", {}, [["purge"]]),
        ("retention", {"INPUT_DAYS": "30"}, [["purge", "--days", "30"]]),
        (
            "check-deployment",
            {},
            [["check", "--deploy", "--fail-level", "ERROR", "--no-color"], ["migrate", "--check", "--no-color"]],
        ),
    ],
)
def test_the_products_own_commands_are_called(
    environment: dict[str, str],
    database: Path,
    tmp_path: Path,
    chore: str,
    variables: dict[str, str],
    expected: list[list[str]],
) -> None:
    """A stand-in for manage.py writes down how it was called; the real one is started by the process tests."""
    manage, calls = tmp_path / "manage.py", tmp_path / "calls"
    manage.write_text(f"import json, sys\nopen({str(calls)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n")
    done = run(chore, environment, MANAGE_PY=str(manage), **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in calls.read_text().splitlines()] == expected
    manage.write_text("raise SystemExit(3)")
    done = run(chore, environment, MANAGE_PY=str(manage), **variables)
    assert (done.returncode, done.stderr[:6]) == (1, "ERROR ")


@pytest.mark.parametrize("chore", ["retention", "check-deployment", "check-database"])
def test_without_a_database_none_is_made_by_mistake(environment: dict[str, str], tmp_path: Path, chore: str) -> None:
    done = run(chore, environment, MANAGE_PY=str(CODE_DIR / "manage.py"))
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR There is no database at")
    assert not (tmp_path / "db.sqlite3").exists()


def test_hello_greets_in_colour(environment: dict[str, str]) -> None:
    done = run("hello", environment, INPUT_NAME="Ada")
    assert "\x1b[1mHello, Ada!\x1b[0m" in done.stdout
    assert reported(environment, "track") == {"greeted": "Ada"}


def test_hello_shows_every_level_and_the_other_stream(environment: dict[str, str]) -> None:
    done = run("hello-levels", environment)
    assert [line.split()[0] for line in done.stdout.splitlines()[:4]] == ["DEBUG", "INFO", "WARNING", "ERROR"]
    assert done.stderr == "And this line came by standard error.\n"
    assert "東京" in done.stdout


def test_hello_works_as_long_as_it_is_told(environment: dict[str, str]) -> None:
    done = run("hello-work", environment, INPUT_SECONDS="1")
    assert done.returncode == 0
    assert done.stdout.count("100 %") == 4
    assert 0.9 <= reported(environment, "metric")["worked_seconds"] < 10


def test_hello_says_goodbye_when_it_is_stopped(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*PROGRAM, "hello-work"], env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout
        assert "60 seconds of work" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert "Asked to stop: goodbye." in process.stdout.read()
    assert process.returncode == 128 + signal.SIGTERM


def test_an_order_goes_through_the_shop(environment: dict[str, str]) -> None:
    order = {"INPUT_ORDER_ID": "10042", "INPUT_ITEMS": "30", "INPUT_EXPRESS": "true"}
    assert "WARNING Order 10042 is large" in run("order-check", environment, **order).stdout
    assert run("order-pack", environment, **order).stdout.count("in the parcel") == 30
    assert "3 parcel(s) by express" in run("order-label", environment, **order, PARCELS="3").stdout
    assert "over 597.0 is on its way" in run("order-close", environment, **order, TOTAL="597.0").stdout
    assert reported(environment, "track") == {"order_id": "10042"}
    assert reported(environment, "output") == {"total": 597.0, "items": 30, "parcels": 3, "tracking": "RD-10042-E"}


def test_an_order_beyond_the_stock_fails_with_advice(environment: dict[str, str]) -> None:
    done = run("order-check", environment, INPUT_ORDER_ID="10042", INPUT_ITEMS="91")
    assert (done.returncode, done.stderr) == (
        1,
        "ERROR Order 10042: 91 items are wanted and 90 are in stock. Retry with fewer.\n",
    )


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["backup", "more"]])
def test_an_unknown_chore_is_refused_with_the_known_ones(arguments: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run([*PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "backup|retention" in done.stderr


def test_a_postgres_address_becomes_variables_that_nobody_else_sees() -> None:
    assert read_postgres_url("postgres://ada:p%40ss@db.example:5433/runs?sslmode=require") == {
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGUSER": "ada",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "runs",
        "PGSSLMODE": "require",
    }
    assert read_postgres_url("postgresql:///runs?host=/tmp/socket") == {"PGHOST": "/tmp/socket", "PGDATABASE": "runs"}


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="no PostgreSQL: TEST_DATABASE_URL is not set")
def test_a_postgres_backup_can_be_read_back(environment: dict[str, str], tmp_path: Path) -> None:
    url = os.environ["TEST_DATABASE_URL"]
    dump = shutil.which("pg_dump")
    if dump is None:
        pytest.skip("pg_dump is not installed")
    version = subprocess.run([dump, "--version"], capture_output=True, text=True, check=True).stdout
    with psycopg.connect(url, autocommit=True) as connection:
        major = connection.info.server_version // 10_000
        if major > int(re.findall(r"\d+", version)[0]):
            pytest.skip(f"{version.strip()} is older than the server's {major}")
        connection.execute("CREATE TABLE chores_backup (id int)")
        try:
            done = run("backup", environment, DATABASE_URL=url)
        finally:
            connection.execute("DROP TABLE chores_backup")
    assert (done.returncode, done.stderr) == (0, "")
    assert reported(environment, "output")["tables"] >= 1
    (copy,) = backups(tmp_path)
    assert (copy.suffix, copy.read_bytes()[:5], copy.stat().st_mode & 0o077) == (".dump", b"PGDMP", 0)
    assert urlsplit(url).password not in (None, "", *done.stdout.split())


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 kB"), (5 * 1024**3, "5.0 GB"), (2**50, "1,048,576.0 GB")],
)
def test_a_size_is_written_for_people(size: int, text: str) -> None:
    assert format_size(size) == text
