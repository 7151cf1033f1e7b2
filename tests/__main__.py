"""`python -m tests [--only sqlite|postgres] [pytest's arguments]`: every test on SQLite and on PostgreSQL.

Exits with 0 only if no test failed. Where no PostgreSQL can be started it says why and goes on without.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO
from xml.etree import ElementTree

from .postgres import PostgresServer, Unavailable

ROOT = Path(__file__).resolve().parent.parent
# No database matters to them: they never meet one, or are the browser's or the templates' own doing (what their pages
# read is asked of both elsewhere). Where both databases are asked, each of them runs beside one, so that neither half
# takes much longer than the other.
BESIDE_SQLITE = (
    "tests/browser/test_axe.py",
    "tests/browser/test_bulk.py",
    "tests/browser/test_keys.py",
    "tests/browser/test_left_open.py",
    "tests/browser/test_log_page.py",
    "tests/browser/test_phone.py",
    "tests/browser/test_reading.py",
    "tests/browser/test_retry.py",
    "tests/browser/test_time_zone.py",
    "tests/browser/test_without_scripts.py",
    "tests/management/test_up.py",
    "tests/process/test_api_examples.py",
)
BESIDE_POSTGRES = (
    "tests/browser/test_find.py",
    "tests/browser/test_inbox.py",
    "tests/browser/test_on_call.py",
    "tests/browser/test_run_list.py",
    "tests/browser/test_run_page.py",
    "tests/definition/*",
    "tests/text/*",
    "tests/execution/test_process_*.py",
    "tests/execution/test_outbound*.py",
    "tests/web/test_contrast.py",
    "tests/web/test_template_census.py",
    "tests/web/test_timeline.py",
    "tests/test_dependencies.py",
    "tests/test_import_directions.py",
    "tests/test_readme.py",
    "tests/test_vendor.py",
)
TESTS_FAILED = 1  # pytest's exit status
RUN_AGAIN_AT_MOST = 12  # tests; more are no accident
running: list[subprocess.Popen[bytes]] = []


@dataclass
class Outcome:
    """What one run of pytest came to; `code` is its exit status."""

    code: int
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="one of the two databases")
    options, arguments = parser.parse_known_args()
    # Whatever ends this program ends it through its `finally`s: the server goes, the folders go.
    signal.signal(signal.SIGTERM, interrupt)
    began = time.monotonic()
    if options.only == "sqlite":
        print("The tests on SQLite", flush=True)
        outcomes = [run_twice(arguments, database_url=None)]
    else:
        try:
            with PostgresServer() as server:
                print(f"The tests on PostgreSQL {server.version} ({server.binaries})", flush=True)
                if options.only:
                    outcomes = [run_twice(arguments, database_url=server.url)]
                else:
                    outcomes = run_side_by_side(arguments, server.url)
        except Unavailable as reason:
            print(f"Not run on PostgreSQL: {reason}", flush=True)
            outcomes = [] if options.only else [run_twice(arguments, database_url=None)]
            if options.only or os.environ.get("CI"):
                outcomes.append(Outcome(code=1, errors=1))
    if len(outcomes) > 1:
        print(closing_line(outcomes, time.monotonic() - began), flush=True)
    return max(outcome.code for outcome in outcomes)


class Terminated(KeyboardInterrupt):
    """SIGTERM, which unlike Ctrl-C in a terminal reaches this process alone."""


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise Terminated


def run_side_by_side(arguments: list[str], database_url: str) -> list[Outcome]:
    """Both databases at once, since most tests wait for processes; what is told of PostgreSQL follows the other."""
    here, there = [*arguments, *leave_out(BESIDE_POSTGRES)], [*arguments, *leave_out(BESIDE_SQLITE)]
    with tempfile.TemporaryFile("w+") as told, ThreadPoolExecutor(1) as beside:
        other = beside.submit(run_pytest, there, database_url, told)
        print("The tests on SQLite, with those on PostgreSQL beside them", flush=True)
        try:
            first = run_pytest(here, None)
            outcome = other.result()
        except KeyboardInterrupt:
            for process in running:
                process.send_signal(signal.SIGINT)
            raise
        told.seek(0)
        print("The tests on PostgreSQL", flush=True)
        for name, patterns in (("SQLite", BESIDE_SQLITE), ("PostgreSQL", BESIDE_POSTGRES)):
            print(f"Run beside {name} alone, no database matters to them: {', '.join(patterns)}", flush=True)
        shutil.copyfileobj(told, sys.stdout)
    return [run_again(first, here, None), run_again(outcome, there, database_url)]


def leave_out(patterns: tuple[str, ...]) -> list[str]:
    """pytest's arguments for it."""
    return [f"--ignore-glob={ROOT / pattern}" for pattern in patterns]


def run_twice(arguments: list[str], database_url: str | None) -> Outcome:
    """Run pytest; what failed runs once more, alone, and is named if it passes then."""
    return run_again(run_pytest(arguments, database_url), arguments, database_url)


def run_again(first: Outcome, arguments: list[str], database_url: str | None) -> Outcome:
    """Run what failed once more, alone.

    Many tests are of real processes and their times, on machines that other work is using: one that only fails
    beside thousands of others is told apart from one that fails. Many failures, and those of a given choice of tests,
    stand as they are.
    """
    missed = first.failed + first.errors
    is_choice = any(not argument.startswith("--ignore-glob=") for argument in arguments)
    if first.code != TESTS_FAILED or not 0 < missed <= RUN_AGAIN_AT_MOST or is_choice:
        return first
    print(f"Once more, alone: {missed} that failed", flush=True)
    again = run_pytest(["--last-failed", "--last-failed-no-failures=none", "-v", *arguments], database_url)
    if again.code == 0 and again.passed:
        print(f"PASSED ONLY ALONE: {again.passed} tests, named above. Look at them.", flush=True)
    return Outcome(again.code, first.passed + again.passed, again.failed, again.errors, first.skipped)


def run_pytest(arguments: list[str], database_url: str | None, told: IO[str] | None = None) -> Outcome:
    """Run pytest in a process of its own, with a data folder of its own; Ctrl-C lets it tidy up.

    told: takes what it prints, which else is printed.
    """
    with tempfile.TemporaryDirectory(prefix="tests-") as folder:
        report = Path(folder) / "report.xml"
        environment = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
        if database_url:
            environment["TEST_DATABASE_URL"] = database_url
        memory = ROOT / ".pytest_cache" / ("postgres" if database_url else "sqlite")
        command = [sys.executable, "-m", "pytest", f"--junitxml={report}", "-o", f"cache_dir={memory}", *arguments]
        pytest = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=told, stderr=told)
        running.append(pytest)
        try:
            code = pytest.wait()
        except KeyboardInterrupt as reason:
            if isinstance(reason, Terminated):
                pytest.send_signal(signal.SIGINT)
            pytest.wait()
            raise
        finally:
            running.remove(pytest)
        return read_outcome(code, report)


def read_outcome(code: int, report: Path) -> Outcome:
    """Count what pytest's JUnit report tells; a run that died before it wrote one is an error."""
    if not report.exists():
        return Outcome(code=code or 1, errors=1)
    suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, failed, errors, skipped = (int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped"))
    return Outcome(code, max(0, tests - failed - errors - skipped), failed, errors, skipped)


def closing_line(outcomes: list[Outcome], seconds: float) -> str:
    """Both runs in one line of pytest's own style, `==== 1 failed, 20 passed in 3.21s ====`."""
    words = []
    for name, one in (
        ("failed", "failed"),
        ("passed", "passed"),
        ("skipped", "skipped"),
        ("errors", "error"),
    ):
        count = sum(getattr(outcome, name) for outcome in outcomes)
        if count:
            words.append(f"{count} {name if count > 1 else one}")
    return f" {', '.join(words) or 'no tests ran'} in {seconds:.2f}s ".center(100, "=")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
