"""Other runs with the same business keys: how many, and the newest ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import Run, TrackedData

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_PAIRS = 10  # pairs that the others are looked for of
MOST_COUNTED = 100  # others of one pair
SHOWN = 3


@dataclass(frozen=True)
class Pair:
    """A key and its value. count: others that have it, one more than is counted where there are that many at least;
    None where nobody looked."""

    key: str
    value: str
    count: int | None
    newest: list[Run]

    @property
    def said(self) -> str:
        if self.count is None:
            return "Other runs with it"
        if self.count > MOST_COUNTED:
            return f"{MOST_COUNTED}+ other runs"
        return f"{self.count} other run{'' if self.count == 1 else 's'}"


def find_related(run: Run, pairs: Iterable[tuple[str, str]]) -> list[Pair]:
    """The pairs of a run with the other runs of each: an index alone counts them, and not for ever."""
    pairs = list(pairs)
    known: list[list[int]] = []
    for key, value in pairs[:MOST_PAIRS]:
        rows = TrackedData.objects.of(run.tenant_id).filter(key=key, value=value).exclude(run=run.pk)
        known.append(list(rows.order_by("-run").values_list("run_id", flat=True)[: MOST_COUNTED + 1]))
    wanted = {pk for pks in known for pk in pks[:SHOWN]}
    others = Run.objects.of(run.tenant_id).filter(pk__in=wanted, removing_at=None).select_related("flow")
    columns = ("tenant_id", "uid", "status", "ordered_at", "stop_requested_at", "flow__slug", "flow__name")
    by_pk = {other.pk: other for other in others.only(*columns)} if wanted else {}
    found = [
        Pair(key, value, len(pks), [by_pk[pk] for pk in pks[:SHOWN] if pk in by_pk])
        for (key, value), pks in zip(pairs, known, strict=False)
    ]
    return found + [Pair(key, value, None, []) for key, value in pairs[MOST_PAIRS:]]
