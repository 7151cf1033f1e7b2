"""The family of processes by itself: children that do not listen, that die at once, that nobody waits for."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ..product import ROOT, wait_for

pytestmark = pytest.mark.process

HEAD = """
import logging, os, signal, sys, time
from runs_dashboard.management import processes
from runs_dashboard.management.processes import Child, Family
logging.basicConfig(format="%(message)s")
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf", flush=True)
    while True: time.sleep(60)
def polite():
    print("polite", flush=True)
    signal.sigwait([signal.SIGTERM])
def sick():
    print("sick", flush=True)
    sys.exit(3)
def keep(*children):
    with Family() as family:
        family.keep(children, on_end=lambda: print("ending", flush=True))
    print("ended", flush=True)
"""


class Script:
    """A program that keeps a family; `lines` is what it has printed."""

    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEAD + code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def read_until(self, word: str) -> list[str]:
        """Its lines up to one with the word in it."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line.strip())
            if word in line:
                return lines
        raise AssertionError(f"it never said {word!r}: {lines}")

    def end(self) -> None:
        for child in psutil.Process(self.process.pid).children() if self.process.poll() is None else []:
            child.kill()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    def started(code: str) -> Script:
        script = Script(code)
        request.addfinalizer(script.end)
        return script

    return started


def test_a_child_that_does_not_listen_is_killed_after_its_grace(start) -> None:  # type: ignore[no-untyped-def]
    script = start("keep(Child('deaf child', deaf, 0.5), Child('polite child', polite, 30))")
    lines = script.read_until("deaf")
    if not any("polite" in line for line in lines):
        script.read_until("polite")
    began = time.monotonic()
    script.process.send_signal(signal.SIGTERM)
    said = script.read_until("ended")

    assert script.process.wait(10) == 0
    assert 0.4 < time.monotonic() - began < 10
    assert "The deaf child did not end in time and was killed." in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_each_signal_that_means_the_end_drains(number: signal.Signals, start) -> None:  # type: ignore[no-untyped-def]
    script = start("keep(Child('polite child', polite, 30))")
    script.read_until("polite")
    script.process.send_signal(number)

    assert script.read_until("ended") == ["ending", "ended"]
    assert script.process.wait(10) == 0


def test_a_third_signal_ends_everything_at_once(start) -> None:  # type: ignore[no-untyped-def]
    script = start("keep(Child('deaf child', deaf, 600))")
    script.read_until("deaf")
    script.process.send_signal(signal.SIGTERM)
    script.read_until("ending")
    for _ in range(2):
        time.sleep(0.2)  # two signals at the same moment are one
        script.process.send_signal(signal.SIGTERM)
    script.read_until("ended")

    assert script.process.wait(5) == 0


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(start) -> None:  # type: ignore[no-untyped-def]
    script = start("processes.FIRST_PAUSE = 0.05\nkeep(Child('sick child', sick, 1))")
    pauses = [script.read_until("starts again")[-1].rsplit(" in ", 1)[1] for _ in range(4)]

    assert pauses == ["0.05 s.", "0.1 s.", "0.2 s.", "0.4 s."]


def test_children_do_not_outlive_a_parent_that_was_killed(start) -> None:  # type: ignore[no-untyped-def]
    script = start("keep(Child('polite child', polite, 30))")
    script.read_until("polite")
    child = psutil.Process(script.process.pid).children()[0]
    script.process.kill()

    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child has ended")


def test_ctrl_c_in_a_terminal_reaches_the_parent_alone(start) -> None:  # type: ignore[no-untyped-def]
    script = start("keep(Child('polite child', polite, 30))")
    script.read_until("polite")
    child = psutil.Process(script.process.pid).children()[0]

    assert os.getpgid(child.pid) != os.getpgid(script.process.pid)
