"""Which part of a log a download holds: the one that a page's address shows, in the words of `Download.filters`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..text.levels import LEVELS
from .access import read_text

if TYPE_CHECKING:
    from django.http import QueryDict

TEXT_LENGTH = 500
STREAMS = ("stdout", "stderr")
NAMES = ("step", "attempt", "level", "stream", "text")  # of the parameters in the address


def read_filters(params: QueryDict) -> dict[str, Any]:
    """What the address asks of the log, without its place in it; nonsense is left out."""
    filters: dict[str, Any] = {}
    if step := read_text(params, "step", TEXT_LENGTH):
        filters["step"] = step
    attempt = params.get("attempt", "")
    if attempt.isascii() and attempt.isdigit() and 0 < len(attempt) < 7 and int(attempt):
        filters["attempt"] = int(attempt)
    if (level := params.get("level", "")) in LEVELS:
        filters["levels"] = list(LEVELS[LEVELS.index(level) :])
    if (stream := params.get("stream", "")) in STREAMS:
        filters["stream"] = stream
    if text := read_text(params, "text", TEXT_LENGTH):
        filters["text"] = text
    return filters


def say_filters(filters: dict[str, Any]) -> str:
    """The same in words: `step load, try 2, warning and up`."""
    said = []
    if "step" in filters:
        said.append(f"step {filters['step']}")
    if "attempt" in filters:
        said.append(f"try {filters['attempt']}")
    if levels := filters.get("levels"):
        is_up = list(levels) == list(LEVELS[LEVELS.index(levels[0]) :]) if levels[0] in LEVELS else False
        said.append(f"{levels[0]} and up" if is_up and len(levels) > 1 else ", ".join(levels))
    if "stream" in filters:
        said.append(filters["stream"])
    if "text" in filters:
        said.append(f"lines with “{filters['text']}”")
    return ", ".join(said)
