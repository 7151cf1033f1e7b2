"""The support bundle: what is in it, that it gives no secret away, that its sums are right."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from runs_dashboard import __version__
from runs_dashboard.definition.yaml_source import parse
from runs_dashboard.execution import downloads, log_file
from runs_dashboard.execution.downloads import make_next
from runs_dashboard.models import (
    Actor,
    AuditEntry,
    Download,
    Flow,
    Run,
    RunNote,
    Step,
    Tenant,
    User,
    append,
    append_system,
)
from runs_dashboard.text.intake import Intake

pytestmark = pytest.mark.django_db

SECRET = "correct-horse-battery"
FLOW = """
id: orders
name: Orders
secrets: [SHOP_PASSPHRASE]
inputs: {day: {type: string}, api_key: {type: string}, note: {type: string}}
steps:
  - {id: fetch, component: command, with: {run: [x], env: {TOKEN: "${{ secrets.SHOP_PASSPHRASE }}"}}}
  - {id: load, component: command, with: {run: [x]}}
"""


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv("SHOP_PASSPHRASE", SECRET)
    return tmp_path


@pytest.fixture
def sue(db: None) -> Actor:
    return Actor(user=User.objects.create_user("sue", first_name="Sue"), address="192.0.2.7")


@pytest.fixture
def run(sue: Actor) -> Run:
    tenant = Tenant.objects.create(slug="shop", name="Shop")
    flow, _ = Flow.load(parse(FLOW), tenant=tenant, by=sue, source=FLOW)
    args = {"day": "2026-11-22", "api_key": "abcdef0123", "note": f"it is {SECRET}!"}
    flow.start(args, trigger="manual", by=sue, tags={"team": "shop"}, tracked=[("order_id", "77")])
    claimed = Run.across_tenants.claim(worker="w1")
    assert claimed is not None
    return claimed


def print_out(run: Run, step: Step | None, data: bytes) -> None:
    intake = Intake("stdout")
    append(run, [*intake.feed(data), *intake.flush()], step=step, token=run.token)


def begin(run: Run, slug: str, position: int, attempt: int = 1) -> Step:
    return Step.begin(run, run.version.parsed.step(slug), position=position, attempt=attempt)


@pytest.fixture
def told(run: Run) -> Run:
    """A run of two steps, the second tried twice; it failed."""
    fetch = begin(run, "fetch", 0)
    print_out(run, fetch, b"\x1b[32mfetched\x1b[0m 3 orders\n")
    fetch.end("succeeded", outputs={"rows": 3, "session_token": "t-12345678"})
    first = begin(run, "load", 1)
    print_out(run, first, b"WARNING slow\n")
    first.end("failed", error="timed out")
    append_system(run, "waits 1 s before the next try")
    second = begin(run, "load", 1, attempt=2)
    print_out(run, second, b"ERROR no space\n")
    second.end("failed", error="exit status 1", exit_code=1)
    run.finish("failed", token=run.token, error="exit status 1", error_step="load")
    return run


def make(run: Run, by: Actor) -> Download:
    asked = Download.request(run, by=by, format="bundle")
    assert make_next("w1")
    asked.refresh_from_db()
    return asked


def read(made: Download) -> dict[str, bytes]:
    assert made.status == Download.Status.READY, made.error
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    with zipfile.ZipFile(made.path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_log_lies_there_whole_and_by_attempt_without_escape_codes(told: Run, sue: Actor) -> None:
    files = read(make(told, sue))

    whole = b"fetched 3 orders\nWARNING slow\n[system] waits 1 s before the next try\nERROR no space\n"
    assert files["log.txt"] == whole
    assert files["steps/01-fetch/attempt-1.log"] == b"fetched 3 orders\n"
    assert files["steps/02-load/attempt-1.log"] == b"WARNING slow\n"
    assert files["steps/02-load/attempt-2.log"] == b"ERROR no space\n"
    assert files["steps/00-no-step/lines.log"] == b"[system] waits 1 s before the next try\n"


def test_steps_inputs_outputs_notes_and_the_trail_are_told(told: Run, sue: Actor) -> None:
    RunNote.write(told, f"The disk was full, {SECRET}", by=sue)
    RunNote.write(told, "Nothing", by=sue).remove(by=sue)
    files = read(make(told, sue))

    steps: list[dict[str, Any]] = json.loads(files["steps.json"])
    assert [(step["id"], step["attempt"], step["status"]) for step in steps] == [
        ("fetch", 1, "succeeded"),
        ("load", 1, "failed"),
        ("load", 2, "failed"),
    ]
    assert steps[2]["error"] == "exit status 1"
    table = files["steps.txt"].decode().splitlines()
    assert len(table) == 4
    assert "timed out" in table[2]
    facts = json.loads(files["run.json"])
    assert (facts["id"], facts["status"], facts["errorStep"]) == (told.uid, "failed", "load")
    assert (facts["tags"], facts["trackedData"]) == ({"team": "shop"}, [{"key": "order_id", "value": "77"}])
    assert facts["metrics"]["cpuTime"] == 0
    assert [act["action"] for act in json.loads(files["trail.json"])][:2] == ["run.start", "run.claim"]
    assert [(note["by"], note["text"]) for note in json.loads(files["notes.json"])] == [
        ("Sue", "The disk was full, ***")
    ]
    assert b"Sue  run.start - -> queued from 192.0.2.7" in files["trail.txt"]
    assert json.loads(files["flow.json"])["id"] == "orders"
    assert files["flow.yaml"].decode() == FLOW


def test_secrets_are_masked_by_value_and_by_name(told: Run, sue: Actor) -> None:
    files = read(make(told, sue))

    assert json.loads(files["inputs.json"]) == {"day": "2026-11-22", "api_key": "***", "note": "it is ***!"}
    assert json.loads(files["outputs.json"]) == [
        {"step": "fetch", "attempt": 1, "outputs": {"rows": 3, "session_token": "***"}}
    ]
    assert "${{ secrets.SHOP_PASSPHRASE }}" in files["flow.json"].decode()
    for name, content in files.items():
        assert SECRET.encode() not in content, name
        assert b"t-12345678" not in content, name


def test_the_cover_names_every_file_with_its_sum(told: Run, sue: Actor, tmp_path: Path) -> None:
    made = make(told, sue)
    files = read(made)
    cover = files["README.txt"].decode()

    assert f"Runs Dashboard {__version__}" in cover
    assert "failed in step load" in cover
    for name, content in files.items():
        if name != "README.txt":
            assert f"{name}  {len(content):,} bytes" in cover
            assert hashlib.sha256(content).hexdigest() in cover
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(tmp_path / "out")
    checked = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=tmp_path / "out", check=False)
    assert checked.returncode == 0


def test_a_bundle_of_a_run_that_goes_on_says_where_it_was_cut(run: Run, sue: Actor) -> None:
    print_out(run, None, b"one\ntwo\n")
    asked = Download.request(run, by=sue, format="bundle")
    print_out(run, None, b"three\n")
    assert make_next("w1")
    asked.refresh_from_db()
    files = read(asked)

    assert files["log.txt"] == b"one\ntwo\n[system] Cut at line 2: the run was still going on.\n"
    assert "CUT at line 2" in files["README.txt"].decode()
    assert asked.file_name == f"run-{run.uid}.until-line-2.zip"


def test_a_run_that_did_nothing_has_a_bundle_too(run: Run, sue: Actor) -> None:
    run.finish("succeeded", token=run.token)
    files = read(make(run, sue))

    assert files["log.txt"] == b""
    assert json.loads(files["steps.json"]) == json.loads(files["outputs.json"]) == []
    assert not [name for name in files if name.startswith("steps/")]


def test_progress_never_goes_back_and_ends_with_the_last_line(
    run: Run, sue: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        print_out(run, begin(run, "fetch", 0, attempt=number + 1), b"a line\n")
    told: list[int] = []
    real = Download.advance
    monkeypatch.setattr(log_file, "ADVANCE_SECONDS", 0)
    monkeypatch.setattr(Download, "advance", lambda self, lines: (told.append(lines), real(self, lines)))
    make(run, sue)

    assert told == sorted(told)
    assert {1, 2, 3, 4} <= set(told)


def test_a_bundle_is_asked_for_in_the_trail(told: Run, sue: Actor) -> None:
    make(told, sue)
    assert AuditEntry.across_tenants.get(action="run.download").detail["format"] == "bundle"


def test_a_disk_without_room_fails_it_before_it_is_full(
    told: Run, sue: Actor, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "RESERVE", 2**60)
    made = make(told, sue)

    assert (made.status, "no space left" in made.error) == (Download.Status.FAILED, True)
    assert list((data_dir / "downloads").iterdir()) == []
