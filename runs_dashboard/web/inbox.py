"""The inbox of unresolved failures: what its address asks, a page of its cards, and what a card shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.http import urlencode

from ..models import ErrorGroup, Run
from ..models.rollup import hour_of
from .keyset import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from django.http import QueryDict

    from ..models import Tenant

PAGE_SIZE = 30
FILTERS = ("flow", "kind", "seen_after")
SORTS = {"seen": ("last_seen_at", "Last seen"), "count": ("open_count", "Most runs")}
PERIODS = {"": "Any time", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
VALUE_LENGTH = 255  # characters
KINDS_LIMIT = 1_000  # kinds are counted so far
UNRESOLVED_LIMIT = 999  # runs, beside the word Inbox
TEXT_SHOWN, LINES_SHOWN = 240, 3  # of an error; the rest folds
BAR_HOURS, BARS = 6, 28  # a week
HEIGHT, LEAST_HEIGHT = 30, 4  # a single failure is still seen


@dataclass(frozen=True)
class Card:
    """text: what of the error is shown at once; is_cut: there is more of it; last_uid: of its last run, or nothing."""

    group: ErrorGroup
    text: str
    is_cut: bool
    strip: str
    lately: int
    last_uid: str
    address: str


@dataclass(frozen=True)
class Cards:
    """A page; older: the cursor of the next, empty on the last."""

    cards: list[Card]
    older: str


class InboxQuestion:
    """Reads an address: filters, sort and cursor, with nonsense among the last two as none."""

    def __init__(self, params: QueryDict) -> None:
        given = {name: params.get(name, "").replace("\0", "")[:VALUE_LENGTH].strip() for name in FILTERS}
        self.asked = {name: value for name, value in given.items() if value}
        self.sort = params.get("sort", "") if params.get("sort") in SORTS else "seen"
        self.cursor = params.get("cursor", "")[:64]

    def address(self, **changes: str) -> str:
        """The query string with some of it changed, on the first page; empty drops."""
        kept = {**self.asked, "sort": "" if self.sort == "seen" else self.sort, **changes}
        return urlencode({name: value for name, value in kept.items() if value})

    @property
    def links(self) -> dict[str, list[tuple[str, str, bool]]]:
        """Word, address and whether it is asked for, of each choice."""
        kind, after = self.asked.get("kind", ""), self.asked.get("seen_after", "")
        kinds = {"": "All", "new": "New", "back": "Back again"}
        return {
            "kinds": [(word, self.address(kind=name), name == kind) for name, word in kinds.items()],
            "periods": [(word, self.address(seen_after=name), name == after) for name, word in PERIODS.items()],
            "sorts": [
                (word, self.address(sort="" if name == "seen" else name), name == self.sort)
                for name, (_, word) in SORTS.items()
            ],
        }


def cut_cards(rows: Any, question: InboxQuestion, tenant: Tenant) -> Cards:
    """The page of kinds of failure that is asked for, each with what its card shows."""
    field, _ = SORTS[question.sort]
    ordered = rows.select_related("flow").order_by(f"-{field}", "-id")
    place = _read_cursor(question)
    if place is not None:
        value, pk = place
        # The first half is what the index can use.
        ordered = ordered.filter(**{f"{field}__lte": value}).exclude(**{field: value, "id__gte": pk})
    found = list(ordered[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return Cards(make_cards(shown, tenant), _write_cursor(shown[-1], field) if len(found) > PAGE_SIZE else "")


def make_cards(groups: Sequence[ErrorGroup], tenant: Tenant) -> list[Card]:
    last = [group.last_run_id for group in groups if group.last_run_id is not None]
    uids = dict(Run.objects.of(tenant).filter(pk__in=last, removing_at=None).values_list("pk", "uid")) if last else {}
    now = timezone.now()
    cards = []
    for group in groups:
        text = group.sample.strip() or "Failed without a word"
        head = "\n".join(text.splitlines()[:LINES_SHOWN])[:TEXT_SHOWN]
        cards.append(
            Card(
                group=group,
                text=head,
                is_cut=head != text,
                strip=draw_strip(group.hours.items(), now),
                lately=sum(group.hours.values()),
                last_uid=uids.get(group.last_run_id, ""),
                address=urlencode(group.query),
            )
        )
    return cards


def draw_strip(hours: Iterable[tuple[str, int]], now: datetime) -> str:
    """The outline of a bar for every six hours of the last week in which something failed, as tall as it was often.

    One path, in a box BARS wide and HEIGHT tall: elements of their own would be most of the page.
    """
    begin = hour_of(now) + 1 - BARS * BAR_HOURS
    counts: dict[int, int] = {}
    for hour, count in hours:
        place = (int(hour) - begin) // BAR_HOURS
        if 0 <= place < BARS and count > 0:
            counts[place] = counts.get(place, 0) + count
    most = max(counts.values(), default=1)
    heights = {place: max(LEAST_HEIGHT, round(HEIGHT * count / most)) for place, count in sorted(counts.items())}
    return "".join(f"M{place} {HEIGHT}v-{height}h.7v{height}z" for place, height in heights.items())


def count_unresolved(tenant: Tenant) -> int:
    """Runs in the inbox, one more than UNRESOLVED_LIMIT where there are more."""
    return Run.objects.of(tenant).unresolved().count_to(UNRESOLVED_LIMIT + 1)  # type: ignore[no-any-return]


def last_resolved(tenant: Tenant) -> datetime | None:
    """When the inbox lost its last kind of failure."""
    emptied = ErrorGroup.objects.of(tenant).filter(emptied_at__isnull=False).order_by("-emptied_at")
    return emptied.values_list("emptied_at", flat=True).first()  # type: ignore[no-any-return]


def _write_cursor(group: ErrorGroup, field: str) -> str:
    value = getattr(group, field)
    number = (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value
    return f"{number}.{group.pk}"


def _read_cursor(question: InboxQuestion) -> tuple[datetime | int, int] | None:
    """None for any text that is no cursor, which then means the first page."""
    number, _, pk = question.cursor.partition(".")
    if not (number.isascii() and number.isdigit() and pk.isascii() and pk.isdigit() and len(number + pk) < 36):
        return None
    if len(number) > 17 or len(pk) > 18:
        return None
    return (EPOCH + int(number) * MICROSECOND if question.sort == "seen" else int(number)), int(pk)
