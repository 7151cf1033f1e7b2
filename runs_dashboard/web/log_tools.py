"""What a reader may choose of a log: which step and attempt, which stream, from which level on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..models import Status
from ..text.levels import LEVELS
from .log_window import STREAMS, LogQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Run, Step

TABS = 8  # steps beside each other; the others are in a menu
MORE = 60  # there: where it does not hold all, those with errors come first


@dataclass(frozen=True)
class Option:
    """One thing to choose: its address, and how many lines, warnings and errors it has where that is known."""

    name: str
    url: str
    is_chosen: bool
    status: str = ""
    line_count: int | None = None
    error_count: int = 0


@dataclass(frozen=True)
class Choice:
    """tabs: steps beside each other; more: other steps; left: how many there are beyond them; tries, streams, levels:
    one choice each."""

    tabs: list[Option]
    more: list[Option]
    left: int
    tries: list[Option]
    streams: list[Option]
    levels: list[Option]
    is_filtered: bool
    all_url: str

    @property
    def more_count(self) -> int:
        return len(self.more) + self.left


def choose(run: Run, query: LogQuery, steps: Sequence[Step]) -> Choice:
    """steps: every attempt of every step that has begun, in order."""
    plain = replace(query, at=None, is_end=False, before=None, after=None)
    by_slug: dict[str, list[Step]] = {}
    for step in steps:
        if not step.is_kept:
            by_slug.setdefault(step.slug, []).append(step)
    options = [_step(plain, slug, attempts) for slug, attempts in by_slug.items()]
    chosen = next((option for option in options if option.is_chosen), None)
    tabs = options[:TABS] if len(options) > TABS + 1 else options
    if chosen is not None and chosen not in tabs:
        tabs = [*tabs[:-1], chosen]
    beside = {option.name for option in tabs}
    rest = [option for option in options if option.name not in beside]
    if len(rest) > MORE:
        rest.sort(key=lambda option: not (option.status == Status.FAILED or option.error_count))
    return Choice(
        tabs=[Option("All steps", _url(plain, step="", attempt=None), not query.step), *tabs] if options else [],
        more=rest[:MORE],
        left=max(0, len(rest) - MORE),
        tries=_tries(plain, by_slug.get(query.step, [])),
        streams=[
            Option("Both", _url(plain, stream=""), not query.stream),
            *(Option(name, _url(plain, stream=name), query.stream == name) for name in STREAMS),
        ],
        levels=[Option("All", _url(plain, level=""), not query.level), *_levels(run, plain)],
        is_filtered=bool(query.stream or query.level),
        all_url=_url(plain, stream="", level=""),
    )


def _step(query: LogQuery, slug: str, attempts: list[Step]) -> Option:
    return Option(
        slug,
        _url(query, step=slug, attempt=None),
        query.step == slug,
        status=attempts[-1].status,
        line_count=sum(step.line_count for step in attempts),
        error_count=sum(step.error_count for step in attempts),
    )


def _tries(query: LogQuery, attempts: list[Step]) -> list[Option]:
    if len(attempts) < 2:
        return []
    every = Option("All tries", _url(query, attempt=None), query.attempt is None)
    each = [
        Option(
            f"Try {step.attempt}",
            _url(query, attempt=step.attempt),
            query.attempt == step.attempt,
            status=step.status,
            line_count=step.line_count,
        )
        for step in attempts
    ]
    return [every, *each]


def _levels(run: Run, query: LogQuery) -> list[Option]:
    counts = {"error": run.error_count, "warning": run.error_count + run.warning_count}
    return [
        Option(
            level.capitalize() + (" and up" if level != LEVELS[-1] else ""),
            _url(query, level=level),
            query.level == level,
            line_count=counts.get(level) if not (query.step or query.stream) else None,
        )
        for level in LEVELS[1:]
    ]


def _url(query: LogQuery, **changes: object) -> str:
    return replace(query, **changes).query() + "#log"  # type: ignore[arg-type]
