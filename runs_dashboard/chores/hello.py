"""A minute of a lively log, so that a newcomer sees one and can press Stop."""

import json
import os
import signal
import sys
import time
from types import FrameType

from runs_dashboard.chores.report import read_number, report, say, warn

GREEN, YELLOW, CYAN, BOLD, DIM, OFF = (f"\x1b[{code}m" for code in (32, 33, 36, 1, 2, 0))
TICK = 0.25
PARTS = ("reading the orders", "comparing with the warehouse", "writing the differences", "tidying up")


def greet() -> None:
    """Says hello to INPUT_NAME and where one is."""
    name = os.environ.get("INPUT_NAME") or "world"
    say(f"{BOLD}Hello, {name}!{OFF} This line was printed by a program, and it is in the database already.")
    say(f"Run {CYAN}{os.environ.get('RUN_ID', '?')}{OFF}, step {CYAN}{os.environ.get('STEP_ID', '?')}{OFF}.")
    say("Click a line's number to get a link to it.")
    report(track={"greeted": name}, output={"greeting": f"Hello, {name}!"})


def show_levels() -> None:
    """One line of each kind that the log tells apart."""
    say("DEBUG Levels are read from the beginning of a line. This one can be filtered away.")
    say("INFO Most lines are like this one.")
    say("WARNING Something to look at, one day.")
    say("ERROR Something that went wrong (not really: this is a demonstration).")
    say(json.dumps({"level": "warning", "msg": "JSON lines say their level, too", "rows": 12}))
    say("And this line came by standard error.", sys.stderr)
    colours = "".join(f"\x1b[{code}m ■ {OFF}" for code in range(31, 37))
    rainbow = "".join(f"\x1b[38;5;{code}m█{OFF}" for code in range(196, 232))
    say(f"Colours: {colours} {BOLD}bold{OFF} {DIM}faint{OFF} \x1b[4munderlined{OFF} {rainbow}")
    say("Text of all kinds: Zürich · 東京 · Αθήνα · 🚀 · <b>not bold</b> · {{ not filled }}")


def work() -> None:
    """Works for INPUT_SECONDS (60) with lines and progress bars; a stop is answered with a line before it ends."""
    signal.signal(signal.SIGTERM, _stop)
    seconds = read_number("INPUT_SECONDS", 60)
    began = time.monotonic()
    try:
        say(f"About {seconds} seconds of work in {len(PARTS)} parts. Press {BOLD}Stop{OFF} whenever you like.")
        for number, part in enumerate(PARTS, 1):
            say(f"Part {number} of {len(PARTS)}: {part}")
            _show_work(seconds / len(PARTS))
            say(f"{GREEN}✓{OFF} {part}")
    except _Stopped:
        say(f"{YELLOW}Asked to stop: goodbye.{OFF}")
        sys.exit(128 + signal.SIGTERM)
    if seconds >= 60:
        warn("That took a minute. It was meant to.")
    report(output={"parts": len(PARTS)}, metric={"worked_seconds": round(time.monotonic() - began, 1)})


def _show_work(seconds: float) -> None:
    """Prints a line a second, and at the end draws one line over and over, as a terminal program does."""
    drawing = 2.0 if seconds >= 4 else seconds
    lines = int(seconds - drawing)
    for line in range(1, lines + 1):
        time.sleep((seconds - drawing) / lines)
        say(f"{DIM}record {line:2d} of {lines}{OFF} looked at, nothing to complain of")
    steps = max(1, round(drawing / TICK))
    for step in range(1, steps + 1):
        time.sleep(drawing / steps)
        done = round(30 * step / steps)
        bar = f"{GREEN}{'█' * done}{DIM}{'░' * (30 - done)}{OFF}"
        say(f"\r  {bar} {100 * step // steps:3d} %", end="\n" if step == steps else "")


class _Stopped(BaseException):
    """SIGTERM has come. Printing in the handler itself could meet a print that it interrupted."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stopped
