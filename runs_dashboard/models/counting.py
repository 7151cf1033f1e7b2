"""How many runs there are, told without looking at all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Count, Exists, Q
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In, Lookup
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode

from .lifecycle import LIVE
from .tenant import Counted, TenantQuerySet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import QuerySet

LOOKED_AT = 10_000  # of the newest runs, where no index answers: a look at each costs as much as a page of runs
RANGES = ("gt", "gte", "lt", "lte")
TOGETHER = {"flow_id", "status"}  # the columns whose indexes have the list's order, by themselves and together
ALONE = {"created_by_id", "trigger", "environment_version_id"}  # those that have one by themselves
PARTIAL = [(name, "exact", True) for name in ("is_pinned", "is_retried", "has_warnings")]
PARTIAL += [("reviewed_at", "isnull", False)]
FOUND = "found"
FEW_LIVE = 2_000  # runs in progress; of more a count is what is seen of them


class HasPair(Exists):
    """Of a run: whether it has a tag, or tracked data. pairs: all of the tenant's that fit, at most one a run."""

    pairs: QuerySet | None = None

    @classmethod
    def of(cls, on_run: QuerySet, pairs: QuerySet | None) -> HasPair:
        found = cls(on_run)
        found.pairs = pairs
        return found


@dataclass
class Asked:
    """What is asked of runs.

    walked: the conditions of one index that has the list's order; indexes: of how many there would have to be one;
    is_found: it names few runs; is_of_failures: runs that failed and no others; has_rest: no index knows all of it.
    """

    walked: dict[str, Any] = field(default_factory=dict)
    indexes: set[str] = field(default_factory=set)
    has_rest: bool = False
    is_found: bool = False
    is_of_failures: bool = False

    @property
    def is_indexed(self) -> bool:
        return self.is_found or (not self.has_rest and len(self.indexes) < 2) or "tenant_id__exact" not in self.walked

    @property
    def is_by_status(self) -> bool:
        """Whether an index knows the runs of each status."""
        return not self.is_found and not self.has_rest and self.indexes <= {"together"}


class CountQuerySet(TenantQuerySet):
    """Counts of one tenant's runs."""

    def in_any_order(self, *, by: str = "ordered_at") -> Self:
        """In the order that costs least, to take some of them. by: the column of the list's order.

        In the list's order, so that the index of the list's first page serves as well, whatever the planner thinks of
        the others. Where one of several values will do no index has the order, and any that finds them is welcome.
        """
        asked = [leaf.rhs for leaf in self.query.where.leaves() if isinstance(leaf, In)]
        is_one_of_many = any(isinstance(rhs, Query) or (not isinstance(rhs, str) and len(rhs) > 1) for rhs in asked)
        return self.order_by() if is_one_of_many else self.order_by(f"-{by}", "-id")

    def count_to(self, limit: int, *, by: str = "ordered_at") -> int:
        """How many rows there are, at most `limit`. by: the column of the list's order."""
        return self.in_any_order(by=by).values("pk")[:limit].count()

    def count_capped(self, limit: int, *, by: str = "ordered_at", is_exact: bool = False) -> Counted:
        """How many rows there are, up to `limit`: exact where an index counts, else among the newest LOOKED_AT.

        is_exact: whatever it costs, as programs are promised.
        """
        pairs = self._only_pair()
        if pairs is not None:
            counted: Counted = pairs.count_capped(limit)
            return counted
        asked = self._ask(by)
        if is_exact or asked.is_indexed:
            found, is_whole = self.count_to(limit + 1, by=by), True
        else:
            rows, is_whole = self._newest(asked, by)
            found = rows.values("pk")[: limit + 1].count()
        return Counted(min(found, limit), is_whole and found <= limit)

    def count_by_status(self, statuses: Iterable[str], limit: int) -> dict[str, Counted]:
        """The same of the rows of each status; but those of runs in progress, of which there are few, exact."""
        asked = self._ask("ordered_at")
        if asked.is_of_failures:
            return {status: self.count_capped(limit) if status == "failed" else Counted(0, True) for status in statuses}
        if asked.is_by_status:
            return {status: self.filter(status=status).count_capped(limit) for status in statuses}
        sums = {status: Count("pk", filter=Q(status=status)) for status in statuses}
        rows, is_whole = (self.order_by(), True) if asked.is_found else self._newest(asked, "ordered_at")
        numbers = rows.values("pk", "status")[: LOOKED_AT + 1].aggregate(**sums)
        is_whole = is_whole and sum(numbers.values()) <= LOOKED_AT
        counts = {status: Counted(min(number, limit), is_whole) for status, number in numbers.items()}
        if not is_whole:
            going = self.model.across_tenants.filter(tenant_id=asked.walked["tenant_id__exact"], status__in=LIVE)
            pks = list(going.values_list("pk", flat=True)[: FEW_LIVE + 1])
            if len(pks) <= FEW_LIVE:
                live = list(self.filter(pk__in=pks).order_by().values_list("status", flat=True))
                counts |= {status: Counted(live.count(status), True) for status in counts if status in LIVE}
        return counts

    def _newest(self, asked: Asked, by: str) -> tuple[Self, bool]:
        """The rows among the newest LOOKED_AT that an index gives one after the other, and whether those are all.

        By their numbers: SQLite's planner would rather take another index, and walk it to its end.
        """
        newest = self.model.across_tenants.filter(**asked.walked).order_by(f"-{by}", "-id").values("pk")
        is_whole = not newest[LOOKED_AT : LOOKED_AT + 1]
        return self.filter(pk__in=newest[:LOOKED_AT]).order_by(), is_whole

    def _ask(self, by: str) -> Asked:
        """Reads the conditions of the query."""
        asked = Asked(is_found=self.query.is_empty())
        alone: dict[str, Any] = {}
        for leaf in _leaves(self.query.where):
            name, kind, value = self._read(leaf)
            is_many = kind == "in" and len(value) > 1
            if _is_of_failures(name, kind, value):
                asked.is_found = asked.is_of_failures = True
            elif name == FOUND or (kind == "in" and not value):
                asked.is_found = True
            elif (name == "tenant_id" and kind == "exact") or (name == by and kind in RANGES):
                asked.walked[f"{name}__{kind}"] = value
            elif name in TOGETHER and kind in ("exact", "in"):
                asked.indexes.add("together")
                if by == "ordered_at" and not is_many:
                    asked.walked[f"{name}__{kind}"] = value
            elif (name in ALONE and kind in ("exact", "in")) or (name, kind, value) in PARTIAL:
                asked.indexes.add(name)
                if by == "ordered_at" and not is_many:
                    alone = {f"{name}__{kind}": value}
            elif name != "started_at":
                asked.has_rest = True
        if "together" not in asked.indexes:
            asked.walked |= alone
        return asked

    def _only_pair(self) -> Any:
        """The pairs of the one tag or key that is all that is asked for; None where more or else is asked."""
        leaves = list(_leaves(self.query.where))
        rest = [leaf for leaf in leaves if self._read(leaf)[0] != "tenant_id"]
        if len(leaves) == 2 and len(rest) == 1 and isinstance(rest[0], Exact) and isinstance(rest[0].lhs, HasPair):
            return rest[0].lhs.pairs
        return None

    def _read(self, leaf: Any) -> tuple[str, str, Any]:
        """The column of a plain condition, its kind (`exact`, `in`, `gte`…) and its value; empty for any other.

        FOUND for one that names the runs themselves, or what each of few runs points to.
        """
        if not isinstance(leaf, Lookup) or not isinstance(leaf.lhs, Col):
            return "", "", None
        name = leaf.lhs.target.attname
        if leaf.lhs.alias != self.model._meta.db_table or (name == "id" and leaf.lookup_name == "in"):
            return FOUND, "", None
        if hasattr(leaf.rhs, "resolve_expression"):
            return "", "", None
        return name, leaf.lookup_name or "", leaf.rhs


def _is_of_failures(name: str, kind: str, value: Any) -> bool:
    """Whether it is a condition of the indexes of failures: those that are unresolved, those of one kind."""
    return (name, kind, value) == ("resolved_at", "isnull", True) or (name, kind) == ("error_fingerprint", "exact")


def _leaves(where: WhereNode) -> Iterator[Any]:
    """The conditions that all must hold; what is said with OR or NOT is one."""
    for child in where.children:
        if isinstance(child, WhereNode) and child.connector == AND and not child.negated:
            yield from _leaves(child)
        else:
            yield child
