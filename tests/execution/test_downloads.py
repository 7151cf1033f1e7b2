"""Downloads: the file is what was printed, whole or not there at all."""

import csv
import errno
import hashlib
import io
import itertools
import json
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from runs_dashboard.definition.schema import Definition
from runs_dashboard.execution import downloads, log_file
from runs_dashboard.execution.downloads import make_next
from runs_dashboard.models import Actor, Download, Flow, LeaseLost, Run, Step, Tenant, User, append, append_system
from runs_dashboard.models.log import seal
from runs_dashboard.text.intake import Intake

pytestmark = pytest.mark.django_db

FLOW = {"id": "orders", "name": "Orders", "steps": [{"id": "load", "component": "command", "with": {"run": ["x"]}}]}


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def sue(db: None) -> Actor:
    return Actor(user=User.objects.create_user("sue"))


@pytest.fixture
def run(sue: Actor) -> Run:
    tenant = Tenant.objects.create(slug="shop", name="Shop")
    flow, _ = Flow.load(Definition.from_data(FLOW), tenant=tenant, by=sue)
    started = flow.start({}, trigger="manual", by=sue)
    claimed = Run.across_tenants.claim(worker="w1")
    assert claimed == started
    return claimed


def begin_step(run: Run, attempt: int = 1) -> Step:
    return Step.begin(run, run.version.parsed.step("load"), position=0, attempt=attempt)


def print_out(run: Run, data: bytes, *, step: Step | None = None, size: int = 0, stream: str = "stdout") -> None:
    """As a program prints it: in pieces of `size` bytes, each piece a chunk of the log."""
    intake = Intake(stream)
    pieces = [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
    for piece in pieces:
        append(run, intake.feed(piece), step=step, token=run.token)
    append(run, intake.flush(), step=step, token=run.token)


def download(run: Run, by: Actor, format: str, **filters: Any) -> Download:
    asked = Download.request(run, by=by, format=format, filters=filters)
    assert make_next("w1")
    asked.refresh_from_db()
    return asked


def read(made: Download) -> bytes:
    assert made.status == Download.Status.READY, made.error
    content = made.path.read_bytes()
    assert made.size == len(content)
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    return content


PRINTED = [
    b"one\ntwo\n",
    b"no line feed at the end",
    b"\n\n\nblank lines\n\n",
    b"a record look-alike\n11z message\n\x1fseparator first\nmid\x1fdle\n",
    "ünï\u2028cödé \N{ROCKET}\n".encode() * 50,
    b"\x1b[31mred\x1b[0m\nprogress 1%\rprogress 100%\n",
    b"x" * 200_000 + b"\nshort\n",
    b"".join(b"line %d of a log that is longer than one chunk\n" % number for number in range(3_000)),
]


@pytest.mark.parametrize("size", [0, 7_001], ids=["whole", "in pieces"])
@pytest.mark.parametrize("printed", PRINTED, ids=lambda data: repr(data[:20]))
def test_a_raw_file_is_byte_for_byte_what_was_printed(run: Run, sue: Actor, printed: bytes, size: int) -> None:
    step = begin_step(run)
    print_out(run, printed, step=step, size=size)
    append_system(run, "3 lines were dropped", step=step)

    assert read(download(run, sue, "raw")) == printed
    seal(run, step)
    run.finish("succeeded", token=run.token)
    assert read(download(run, sue, "raw")) == printed


def test_a_text_file_has_no_escapes_and_names_our_own_lines(run: Run, sue: Actor) -> None:
    step = begin_step(run)
    print_out(run, b"\x1b[31mred\x1b[0m\nplain\nopen", step=step)
    append_system(run, "2 lines were dropped", step=step)
    print_out(run, b"next\n", step=step)
    run.finish("failed", token=run.token)

    assert read(download(run, sue, "txt")) == b"red\nplain\nopen\n[system] 2 lines were dropped\nnext\n"


def test_a_log_that_still_grows_is_cut_where_it_was_and_the_text_says_so(run: Run, sue: Actor) -> None:
    print_out(run, b"one\ntwo\n")
    asked = [Download.request(run, by=sue, format=format) for format in ("txt", "raw", "ndjson", "csv")]
    print_out(run, b"three\n")
    while make_next("w1"):
        continue
    for one in asked:
        one.refresh_from_db()
    text, raw, ndjson, table = map(read, asked)

    assert text == b"one\ntwo\n[system] Cut at line 2: the run was still going on.\n"
    assert raw == b"one\ntwo\n"
    assert ndjson.count(b"\n") == 2
    assert table.count(b"\n") == 3


def test_the_cut_may_lie_within_a_chunk_or_an_open_line(run: Run, sue: Actor) -> None:
    print_out(run, b"one\ntwo")
    asked = Download.request(run, by=sue, format="txt")
    Download.across_tenants.filter(pk=asked.pk).update(last_line=1)
    also = Download.request(run, by=sue, format="txt")
    assert make_next("w1")
    assert make_next("w1")
    asked.refresh_from_db()
    also.refresh_from_db()

    assert read(asked).startswith(b"one\n[system] Cut at line 1:")
    assert read(also).startswith(b"one\ntwo\n[system] Cut at line 2:")


def test_lines_of_json_and_tables_carry_what_is_known_of_a_line(run: Run, sue: Actor) -> None:
    step = begin_step(run)
    print_out(run, b"=1+1\nERROR broken\n", step=step, stream="stderr")
    run.finish("failed", token=run.token)

    rows = [json.loads(line) for line in read(download(run, sue, "ndjson")).splitlines()]
    assert [(row["line"], row["message"], row["level"]) for row in rows] == [
        (1, "=1+1", "info"),
        (2, "ERROR broken", "error"),
    ]
    assert {(row["action"], row["stream"], row["system"]) for row in rows} == {("load", "stderr", False)}
    table = list(csv.DictReader(io.StringIO(read(download(run, sue, "csv")).decode())))
    assert [row["message"] for row in table] == ["'=1+1", "ERROR broken"]


def test_filters_choose_steps_and_levels(run: Run, sue: Actor) -> None:
    step = begin_step(run)
    print_out(run, b"WARNING a\nb\nERROR c\n", step=step)
    print_out(run, b"ERROR without a step\n")
    run.finish("failed", token=run.token)

    assert read(download(run, sue, "raw", levels=["warning", "error"], step="load")) == b"WARNING a\nERROR c\n"
    assert read(download(run, sue, "raw", levels=["error"])) == b"ERROR c\nERROR without a step\n"
    assert read(download(run, sue, "txt", step="no-such-step")) == b""


def test_filters_choose_an_attempt_a_stream_and_a_text(run: Run, sue: Actor) -> None:
    first, second = begin_step(run), begin_step(run, attempt=2)
    print_out(run, b"first try\n", step=first)
    print_out(run, b"second try\nall well\n", step=second)
    print_out(run, b"second complaint\n", step=second, stream="stderr")
    run.finish("failed", token=run.token)

    assert read(download(run, sue, "txt", step="load", attempt=1)) == b"first try\n"
    assert read(download(run, sue, "txt", attempt=2, stream="stdout")) == b"second try\nall well\n"
    assert read(download(run, sue, "txt", stream="stderr")) == b"second complaint\n"
    assert read(download(run, sue, "txt", text="SECOND")) == b"second try\nsecond complaint\n"
    assert read(download(run, sue, "txt", step="load", attempt=3)) == b""


@pytest.mark.parametrize("format", ["txt", "ndjson", "csv"])
def test_every_format_leaves_escape_codes_out_unless_it_is_asked_for_them(run: Run, sue: Actor, format: str) -> None:
    print_out(run, b"\x1b[31mred\x1b[0m\n")
    run.finish("failed", token=run.token)
    kept = Download.request(run, by=sue, format=format, is_raw=True)
    assert make_next("w1")
    kept.refresh_from_db()
    escape = b"\\u001b" if format == "ndjson" else b"\x1b"

    assert escape not in read(download(run, sue, format))
    assert escape in read(kept)


def test_a_files_name_says_whose_log_it_is_which_part_and_that_it_was_cut(run: Run, sue: Actor) -> None:
    print_out(run, b"one\n", step=begin_step(run))

    def name(**asked: Any) -> str:
        return Download.request(run, by=sue, **asked).file_name.removeprefix(f"run-{run.uid}.")

    assert name(format="raw", filters={"step": "load"}) == "load.until-line-1.log"
    run.finish("failed", token=run.token)
    assert name() == "txt"
    assert name(format="csv", filters={"levels": ["error"]}) == "filtered.csv"
    assert name(format="bundle", filters={"levels": ["error"]}) == "zip"


def test_a_file_goes_when_its_time_is_over_and_with_its_run(run: Run, sue: Actor, data_dir: Path) -> None:
    run.finish("failed", token=run.token)
    old, of_run = download(run, sue, "txt"), download(run, sue, "csv")
    Download.across_tenants.filter(pk=old.pk).update(expires_at=timezone.now())
    assert Download.across_tenants.expire() == 1
    assert files(data_dir) == [of_run.path]

    assert Download.across_tenants.filter(run=run).remove_files("Its run was deleted.") == 1
    of_run.refresh_from_db()
    assert (of_run.status, of_run.error, files(data_dir)) == ("expired", "Its run was deleted.", [])


def test_files_that_no_download_knows_are_swept_up(run: Run, sue: Actor, data_dir: Path) -> None:
    kept = download(run, sue, "txt")
    folder = data_dir / "downloads"
    strays = [folder / "notes.txt", folder / f"{kept.uuid}.1.part", folder / f"{uuid.uuid4()}.txt"]
    for stray in strays:
        stray.write_bytes(b"x")
    assert Download.across_tenants.sweep_folder() == 0, "they may be on their way"
    for path in folder.iterdir():
        os.utime(path, (0, 0))

    assert Download.across_tenants.sweep_folder() == 3
    assert files(data_dir) == [kept.path]


def test_a_log_without_lines_is_an_empty_file(run: Run, sue: Actor) -> None:
    run.finish("succeeded", token=run.token)

    assert read(download(run, sue, "raw")) == b""


# --- what goes wrong ---------------------------------------------------------------------------------------------


def files(data_dir: Path) -> list[Path]:
    return list((data_dir / "downloads").iterdir())


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "no space left"), (errno.EDQUOT, "no space left"), (errno.EIO, "Input/output error")],
)
def test_a_full_disk_fails_the_download_and_leaves_no_file(
    run: Run, sue: Actor, data_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    print_out(run, b"one\n")

    def refuse(handle: int) -> None:
        raise OSError(number, "Input/output error")

    monkeypatch.setattr(downloads.os, "fsync", refuse)
    made = download(run, sue, "raw")

    assert made.status == Download.Status.FAILED
    assert said in made.error
    assert files(data_dir) == []


def test_a_worker_that_lost_its_lease_writes_nothing(
    run: Run, sue: Actor, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_out(run, b"one\n")
    monkeypatch.setattr(log_file, "ADVANCE_SECONDS", 0)
    real = Download.advance

    def be_slow(self: Download, lines: int) -> None:
        Download.across_tenants.filter(pk=self.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert Download.across_tenants.claim(worker="w2")
        real(self, lines)

    monkeypatch.setattr(Download, "advance", be_slow)
    asked = Download.request(run, by=sue, format="raw")
    assert make_next("w1")
    asked.refresh_from_db()

    assert (asked.status, asked.worker) == (Download.Status.RUNNING, "w2")
    assert files(data_dir) == []
    with pytest.raises(LeaseLost):
        Download(pk=asked.pk, token=1).end(size=1)


def test_what_a_dead_worker_left_is_made_again_from_the_start(run: Run, sue: Actor, data_dir: Path) -> None:
    print_out(run, b"one\ntwo\n")
    asked = Download.request(run, by=sue, format="raw")
    lost = Download.across_tenants.claim(worker="dead")
    assert lost is not None
    folder = data_dir / "downloads"
    folder.mkdir()
    (folder / f"{asked.uuid}.{lost.token}.part").write_bytes(b"on")
    assert not make_next("w1")
    Download.across_tenants.filter(pk=asked.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    assert make_next("w1")
    asked.refresh_from_db()
    assert read(asked) == b"one\ntwo\n"
    assert files(data_dir) == [asked.path]


def test_a_run_that_was_deleted_meanwhile_fails_the_download(run: Run, sue: Actor) -> None:
    run.finish("succeeded", token=run.token)
    asked = Download.request(run, by=sue, format="raw")
    run.delete_whole(by=sue)

    assert make_next("w1")
    asked.refresh_from_db()
    assert (asked.status, asked.error) == (Download.Status.FAILED, "The run was deleted.")


def test_a_run_that_is_deleted_while_its_file_is_made_gives_none(
    run: Run, sue: Actor, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_out(run, b"one\ntwo\n")
    run.finish("succeeded", token=run.token)
    asked = Download.request(run, by=sue, format="raw")
    real = downloads._sync_folder

    def be_purged(folder: Path) -> None:
        real(folder)
        Run.across_tenants.filter(pk=run.pk).update(removing_at=timezone.now())

    monkeypatch.setattr(downloads, "_sync_folder", be_purged)
    assert make_next("w1")
    asked.refresh_from_db()
    assert (asked.status, asked.error) == (Download.Status.FAILED, "The run was deleted.")
    assert files(data_dir) == []


@pytest.mark.usefixtures("expected_server_errors")
def test_a_download_that_cannot_be_made_does_not_end_the_worker(run: Run, sue: Actor) -> None:
    asked = Download.request(run, by=sue, format="raw", filters={"levels": ["no-such-level"]})

    assert make_next("w1")
    asked.refresh_from_db()
    assert asked.status == Download.Status.FAILED
    assert not make_next("w1")


def test_progress_is_told_while_it_is_made(run: Run, sue: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        print_out(run, b"line %d\n" % number)
    clock: Iterator[int] = itertools.count()
    monkeypatch.setattr(log_file.time, "monotonic", lambda: next(clock))
    told: list[int] = []
    real = Download.advance
    monkeypatch.setattr(Download, "advance", lambda self, lines: (told.append(lines), real(self, lines)))
    download(run, sue, "raw")

    assert told == [1, 2, 3, 3]
