"""The line that has not ended: noted when it stands, once a second at most, gone with its end, free for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError

from runs_dashboard.execution.growing import GrowthNote
from runs_dashboard.models import GrowingLine, Run, Status, Step, read_growing
from runs_dashboard.text.intake import Intake

from ..product import wait_for
from .workers import entries, execute, load, program, start, wait_until, working

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeRun:
    """Keeps what is noted of it."""

    token = 1

    def __init__(self) -> None:
        self.notes: list[GrowingLine | None] = []
        self.is_away = False

    def grow(self, line: GrowingLine | None, *, token: int) -> None:
        if self.is_away:
            raise OperationalError
        self.notes.append(line)


class Printing:
    """A step of a fake run that prints by a fake clock."""

    def __init__(self) -> None:
        self.clock, self.run = Clock(), FakeRun()
        self.intakes = {name: Intake(name) for name in ("stdout", "stderr")}
        step = Step(slug="load", attempt=2)
        self.note = GrowthNote(self.run, step, self.intakes, clock=self.clock)  # type: ignore[arg-type]

    def take(self, text: str, stream: str = "stdout") -> None:
        lines = self.intakes[stream].feed(text.encode())
        self.note.printed(stream, has_ended=bool(lines))
        if lines and self.note.is_stale:
            self.note.taken_away()  # as the batch that is stored does
            self.run.notes.append(None)

    def pass_time(self, seconds: float) -> None:
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += 0.05
            self.note.write()

    @property
    def texts(self) -> list[str | None]:
        return [note.text if note else None for note in self.run.notes]


@pytest.fixture
def printing() -> Printing:
    return Printing()


def test_a_program_that_ends_its_lines_is_never_noted(printing: Printing) -> None:
    for number in range(100):
        printing.take(f"line {number}\nline ")
        printing.pass_time(0.3)
        printing.take("more\n")
        printing.pass_time(2.0)
    assert printing.texts == []


def test_what_stands_open_is_noted_once_and_again_when_it_has_changed(printing: Printing) -> None:
    printing.take("Continue? ")
    printing.pass_time(0.6)
    assert printing.texts == []
    printing.pass_time(60.0)
    assert printing.run.notes == [GrowingLine("load", 2, "stdout", "Continue? ")]
    printing.take("[y/n] ")
    printing.pass_time(60.0)
    assert printing.texts == ["Continue? ", "Continue? [y/n] "]


def test_a_bar_that_moves_all_the_time_is_noted_once_a_second(printing: Printing) -> None:
    for number in range(100):
        printing.take(f"{number}%\r")
        printing.pass_time(0.1)
    assert 8 <= len(printing.texts) <= 10


def test_the_end_of_the_line_takes_the_note_away_and_what_follows_begins_anew(printing: Printing) -> None:
    printing.take("10%")
    printing.pass_time(1.0)
    printing.take("\r100%\nnext")
    printing.pass_time(0.5)
    assert printing.texts == ["10%", None]
    printing.pass_time(1.0)
    assert printing.texts == ["10%", None, "next"]


def test_of_two_open_lines_the_one_that_was_printed_to_last_is_noted(printing: Printing) -> None:
    printing.take("out")
    printing.take("err", "stderr")
    printing.pass_time(3.0)
    printing.take(" more")
    printing.pass_time(3.0)
    printing.take(" ended\n", "stderr")
    printing.pass_time(3.0)
    assert printing.texts == ["err", "out more"]


def test_an_answer_that_is_lost_is_asked_for_again_and_never_leaves_a_note_behind(printing: Printing) -> None:
    printing.run.is_away = True
    printing.take("10%")
    printing.pass_time(5.0)
    assert printing.note.is_stale, "the database may have it: the next batch of lines takes it away"
    printing.run.is_away = False
    printing.pass_time(2.0)
    assert printing.texts == ["10%"]
    assert not printing.note.is_stale


def test_nothing_is_noted_after_the_end(printing: Printing) -> None:
    printing.take("10%")
    printing.note.end()
    printing.pass_time(5.0)
    assert printing.texts == []


def growing(run: Run) -> GrowingLine | None:
    run.refresh_from_db()
    return read_growing(run.status, run.growing_line)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quick")
def test_a_bar_of_a_real_program_is_seen_while_it_runs_and_becomes_one_line(tenant: Tenant) -> None:
    source = """
import os, pathlib, time
gate = pathlib.Path(os.environ["GATE"])
print("start", flush=True)
for n in range(0, 1000, 10):
    print(f"{n}%", end="\\r", flush=True)
    time.sleep(0.05)
    if gate.exists():
        break
print("done", flush=True)
while gate.exists():
    time.sleep(0.02)
"""
    from django.conf import settings

    gate = settings.DATA_DIR / "gate"
    with working():
        run = start(load(tenant, [program(source, env={"GATE": str(gate)})]))
        line = wait_for(lambda: growing(run), "a line that grows")
        assert (line.action, line.attempt, line.stream) == ("s1", 1, "stdout")
        assert line.text.startswith("0%\r10%\r")
        assert [entry.message for entry in entries(run)] == ["start"]
        gate.touch()
        wait_for(lambda: growing(run) is None, "its line has ended")
        run.refresh_from_db()
        assert run.growing_line is None, "the batch that brought the line took it away"
        gate.unlink()
        wait_until(run)
    assert run.status == Status.SUCCEEDED
    assert [entry.message.endswith("done") for entry in entries(run)] == [False, True]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quick")
def test_a_step_that_ends_within_a_line_leaves_nothing_growing(tenant: Tenant) -> None:
    source = "import time; print('half', end='', flush=True); time.sleep(1.2); raise SystemExit(3)"
    run = execute(load(tenant, [program(source)]))

    assert run.status == Status.FAILED
    assert run.growing_line is None
    assert [(entry.message, entry.is_open) for entry in entries(run)] == [("half", True)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quick")
def test_a_real_program_that_ends_its_lines_costs_no_statement_more(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[object] = []
    monkeypatch.setattr(Run, "grow", lambda self, line, *, token: noted.append(line))
    source = "import time\nfor n in range(30):\n    print(*range(400), sep='\\n', flush=True)\n    time.sleep(0.05)"
    run = execute(load(tenant, [program(source)]))

    assert run.line_count == 12_000
    assert noted == []
