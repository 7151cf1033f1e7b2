"""Two runs side by side: facts, steps, and the first line where their logs part."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Q

from ..models import LogView, Run, Status, measure_ms
from ..text.fingerprint import drop_variable
from .words import say_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models import Entry

SHOWN_STEPS = 150
LINES_LOOKED = 5_000  # of each log
CONTEXT = 3  # lines shown before the first that differs, and from there on
LONGEST_LINE = 600


class Choice(NamedTuple):
    """A run that it makes sense to compare with, and why."""

    run: Run
    why: str


def suggest(run: Run) -> list[Choice]:
    """The try before, the newest retry, the last success and the run before it; each run once."""
    runs = Run.objects.of(run.tenant_id).filter(removing_at=None).exclude(pk=run.pk).defer("args", "outputs", "metrics")
    # In the words of the index of the flow's runs, see RunQuerySet.before.
    earlier = runs.filter(flow=run.flow_id, ordered_at__lte=run.ordered_at).filter(
        Q(ordered_at__lt=run.ordered_at) | Q(pk__lt=run.pk)
    )
    newest = earlier.order_by("-ordered_at", "-id")
    wanted = [
        ("the try before", run.retried_run),
        ("its retry", run.retries.filter(removing_at=None).order_by("-id").first() if run.is_retried else None),
        ("the last success before it", newest.filter(status=Status.SUCCEEDED).first()),
        ("the run before it", newest.first()),
    ]
    found: dict[int, Choice] = {}
    for why, other in wanted:
        if other is not None and other.pk not in found:
            found[other.pk] = Choice(other, why)
    return list(found.values())


@dataclass(frozen=True)
class StepPair:
    """One step of both runs; a status is empty where a run has none of it. percents: of the longest step."""

    slug: str
    old_status: str
    new_status: str
    old_ms: int | None
    new_ms: int | None
    old_percent: str = ""
    new_percent: str = ""

    @property
    def difference_ms(self) -> int:
        return (self.new_ms or 0) - (self.old_ms or 0)

    @property
    def is_different(self) -> bool:
        return self.old_status != self.new_status

    @property
    def said(self) -> str:
        """The difference in words; nothing where one of them has no time, or both took as long."""
        if self.old_ms is None or self.new_ms is None or abs(self.difference_ms) < 50:
            return ""
        return f"{'+' if self.difference_ms > 0 else '−'}{say_duration(abs(self.difference_ms))}"


class StepPairs(NamedTuple):
    """left: steps of equal status and about equal time that are not shown."""

    pairs: list[StepPair]
    left: int


def pair_steps(old: Run, new: Run) -> StepPairs:
    """The steps of both runs by their ids, in their order; where they are many, those that differ most."""
    first, second = _read_steps(old), _read_steps(new)
    longest = max((ms for steps in (first, second) for _, ms in steps.values() if ms), default=0)
    width = lambda ms: f"{max(0.4, 100 * ms / longest):.2f}%" if ms and longest else ""  # noqa: E731
    pairs = []
    for slug in dict.fromkeys([*second, *first]):
        (was, was_ms), (is_now, now_ms) = first.get(slug, ("", None)), second.get(slug, ("", None))
        pairs.append(StepPair(slug, was, is_now, was_ms, now_ms, width(was_ms), width(now_ms)))
    chosen = sorted(pairs, key=lambda pair: (not pair.is_different, -abs(pair.difference_ms)))[:SHOWN_STEPS]
    kept = {pair.slug for pair in chosen}
    return StepPairs([pair for pair in pairs if pair.slug in kept], len(pairs) - len(chosen))


def _read_steps(run: Run) -> dict[str, tuple[str, int | None]]:
    """Status of the last attempt and running time of all by the step's id."""
    steps: dict[str, tuple[str, int | None]] = {}
    rows = run.steps.order_by("position", "attempt", "id").values_list(
        "slug", "status", "started_at", "finished_at", "kept_from"
    )
    for slug, status, started_at, finished_at, kept in rows:
        took = measure_ms(started_at, finished_at)
        before = steps.get(slug, ("", None))[1]
        steps[slug] = ("kept" if kept else status, took if before is None else before + (took or 0))
    return steps


class LogParting(NamedTuple):
    """Where two logs part: lines of each from there on, and what both have before. looked: lines of each, at most."""

    common: list[Entry]
    old: list[Entry]
    new: list[Entry]
    looked: int
    is_found: bool


def part_logs(old: Run, new: Run) -> LogParting:
    """The first line that differs in more than numbers, times, ids, addresses and folders."""
    common: list[Entry] = []
    first, second = _read_lines(old), _read_lines(new)
    for place, (one, two) in enumerate(zip_longest(first, second)):
        if one is None or two is None or not _is_same(one, two):
            ends = [list(islice(rest, CONTEXT - 1)) for rest in (first, second)]
            return LogParting(
                common[-CONTEXT:],
                [one, *ends[0]] if one is not None else [],
                [two, *ends[1]] if two is not None else [],
                place + 1,
                True,
            )
        common = [*common[-CONTEXT:], two]
    return LogParting([], [], [], min(LINES_LOOKED, old.line_count, new.line_count), False)


def _read_lines(run: Run) -> Iterator[Entry]:
    return islice(LogView(run).stream(until=LINES_LOOKED), LINES_LOOKED)


def _is_same(one: Entry, two: Entry) -> bool:
    if one.action != two.action or one.level != two.level:
        return False
    if one.message == two.message:
        return True
    return drop_variable(one.message[:LONGEST_LINE]) == drop_variable(two.message[:LONGEST_LINE])
