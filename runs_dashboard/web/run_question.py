"""What a run list's address asks: as pairs, as a typed query, as chips, and as the addresses that ask a little else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.http import urlencode

from ..text.periods import is_period
from ..text.run_query import BY_NAME, NAMES, Pairs, tidy, write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import QueryDict

LOOKS = ("sort", "columns", "view")  # what of an address says how the runs are shown, not which
PROGRAMS_NAMES = {"user_id": "user", "flow_id": "flow", "virtual_environment_id": "environment"}
ALL = "all"  # as a view: none
NOTHING: Mapping[str, str] = {}
VALUE_LENGTH = 500  # characters; no filter takes more
WORDS = {
    "user": "by",
    "started_on": "on",
    "duration_over": "longer than",
    "duration_under": "shorter than",
    "has_warnings": "with warnings",
    "parent_run_id": "sub-runs of",
    "flow_version_id": "flow version",
    "level": "lines of level",
    "search": "text",
}


@dataclass(frozen=True)
class Chip:
    """One thing that is asked for, in words, and the address without it."""

    name: str
    word: str
    value: str
    without: str
    is_not: bool


class RunQuestion:
    """Reads an address. pairs: its filters, tidied; looks: sort, columns and view, where it names them."""

    def __init__(self, params: QueryDict) -> None:
        given = [
            (PROGRAMS_NAMES.get(name, name), text.replace("\0", "")[:VALUE_LENGTH])
            for name in params
            if name in NAMES or name in PROGRAMS_NAMES
            for text in params.getlist(name)
        ]
        self.pairs: Pairs = tidy(given)
        self.looks = {name: text for name in LOOKS if (text := params.get(name, "").replace("\0", "")[:VALUE_LENGTH])}

    @property
    def text(self) -> str:
        """The question as one types it."""
        return write(self.pairs)

    @property
    def is_newest_first(self) -> bool:
        return self.looks.get("sort") != "started_at"

    @property
    def any_status(self) -> str:
        return self.address(self.without("status"))

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.pairs if known == name]

    def value(self, name: str) -> str:
        return next(iter(self.values(name)), "")

    @property
    def status(self) -> str:
        """The one status that is asked for, which a tab shows; empty for none or several."""
        status = self.value("status")
        return status if "," not in status else ""

    def address(self, pairs: Iterable[tuple[str, str]] | None = None, **looks: str) -> str:
        """The query string that asks for these pairs, else for the same, with other looks where given; "" drops one.

        One that asks for nothing still says so: a bare address would show the reader's own first view.
        """
        kept = {name: value for name in LOOKS if (value := {**self.looks, **looks}.get(name))}
        asked = self.pairs if pairs is None else tidy(pairs)
        if asked or len(kept) > 1:
            kept = {name: value for name, value in kept.items() if (name, value) != ("view", ALL)}
        return urlencode([*asked, *kept.items()]) or f"view={ALL}"

    @property
    def plain_address(self) -> str:
        """What a view keeps: filters, sort and columns; empty for all runs as they usually are."""
        address = self.address(view="")
        return "" if address == f"view={ALL}" else address

    def without(self, *names: str) -> Pairs:
        return [(name, value) for name, value in self.pairs if name not in names]

    def chips(self, errors: Mapping[str, str] = NOTHING) -> list[Chip]:
        """A single status has no chip: its tab is lit. errors: words of errors by their fingerprint."""
        shown = [pair for pair in self.pairs if pair[0] != "status" or not self.status]
        return [self._chip(name, value, errors) for name, value in shown]

    def _chip(self, name: str, value: str, errors: Mapping[str, str]) -> Chip:
        word, said = say(name, value, errors)
        left = [pair for pair in self.pairs if pair != (name, value)]
        return Chip(name, word, said, f"?{self.address(left)}", is_not=name.startswith("not_"))


def say(name: str, value: str, errors: Mapping[str, str] = NOTHING) -> tuple[str, str]:
    """A filter in words: `started`, `in the last 2h`. errors: words of errors by their fingerprint."""
    if name == "error" and value.lower() in errors:
        return "error", errors[value.lower()]
    if name in ("started_after", "started_before") and is_period(value):
        return "started", f"in the last {value}" if name == "started_after" else f"more than {value} ago"
    if name == "started_after":
        return "from", value
    if name == "started_before":
        return "until", value
    plain = name.removeprefix("not_")
    qualifier = BY_NAME.get(name)
    kind = qualifier.kind if qualifier else ""
    if kind == "flag":
        value = {"true": "yes", "false": "no"}.get(value, value)
    elif kind == "words":
        value = value.replace(",", ", ")
    elif plain == "tracked":
        return tuple(value.partition(":")[::2]) if ":" in value else ("tracked", value)  # type: ignore[return-value]
    word = WORDS.get(plain, plain)
    return word, value
