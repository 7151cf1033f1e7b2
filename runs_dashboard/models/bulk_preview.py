"""What a bulk action would do, without doing it: how many runs it would take, and which of them it would refuse."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .bulk_action import MOST_RUNS, BulkAction
from .environment import EnvironmentVersion
from .flow import Flow, FlowVersion
from .lifecycle import LIVE

if TYPE_CHECKING:
    from .run_set import RunQuerySet

COLUMNS = (
    *("status", "is_retried", "reviewed_at", "stop_requested_at"),
    *("is_external", "flow_id", "version_id", "environment_version_id"),
)


@dataclass(frozen=True)
class BulkPreview:
    """total: the runs that match, one more than an action takes where there are more still; refusals: reason and
    number of runs, the commonest first; statuses: how many have each.

    Of a retry: flow: the one flow that all are of, if they are; older, older_environment: how many ran in another
    version of their flow, or of their environment, than its newest.
    """

    total: int
    refusals: list[tuple[str, int]]
    statuses: list[tuple[str, int]]
    flow: Flow | None = None
    older: int = 0
    older_environment: int = 0

    @property
    def is_too_many(self) -> bool:
        return self.total > MOST_RUNS

    @property
    def refused(self) -> int:
        return sum(count for _, count in self.refusals)

    @property
    def doable(self) -> int:
        return self.total - self.refused


def preview(runs: RunQuerySet, act: str) -> BulkPreview:
    """Of one tenant's runs. One statement for the runs, however many there are; for a retry two more about their flows
    and environments, and one where engines reported some.

    What it says of each run is what the act itself looks at, but for the inputs, which it checks when it comes to them.
    """
    rows = list(runs.in_any_order().values_list(*COLUMNS)[: MOST_RUNS + 1])
    if len(rows) > MOST_RUNS:
        return BulkPreview(len(rows), [], [])
    statuses = Counter(row[0] for row in rows).most_common()
    if act != BulkAction.Act.RETRY:
        return BulkPreview(len(rows), _count_refusals(act, rows, set()), statuses)
    flows = Flow.across_tenants.select_related("latest").in_bulk({row[5] for row in rows})
    newest = dict(
        EnvironmentVersion.across_tenants.filter(pk__in={row[7] for row in rows if row[7]}).values_list(
            "pk", "environment__latest"
        )
    )
    return BulkPreview(
        len(rows),
        _count_refusals(act, rows, _find_refusing_engines(rows, flows)),
        statuses,
        flow=next(iter(flows.values())) if len(flows) == 1 else None,
        older=sum(flows[row[5]].latest_id not in (None, row[6]) for row in rows),
        older_environment=sum(newest.get(row[7]) not in (None, row[7]) for row in rows),
    )


def _count_refusals(act: str, rows: list[tuple[Any, ...]], engines: set[tuple[int, int]]) -> list[tuple[str, int]]:
    refusals = Counter(_judge(act, row, engines) for row in rows)
    del refusals[""]
    return refusals.most_common()


def _judge(act: str, row: tuple[Any, ...], engines: set[tuple[int, int]]) -> str:
    """Why the run would be refused or passed over; empty where the act would be done."""
    status, is_retried, reviewed_at, stop_requested_at, is_external, flow, version, _ = row
    is_live = status in LIVE
    if act == BulkAction.Act.STOP:
        if not is_live:
            return "ended already"
        return "being stopped already" if stop_requested_at else ""
    if is_live:
        return "not ended yet"
    if act == BulkAction.Act.REVIEW:
        return "reviewed already" if reviewed_at else ""
    if is_retried:
        return "retried already"
    return "for their own engine to retry" if is_external and (flow, version) in engines else ""


def _find_refusing_engines(rows: list[tuple[Any, ...]], flows: dict[int, Flow]) -> set[tuple[int, int]]:
    """Flow and version of the reported runs among the rows that have no steps here and no address to call."""
    reported = {(row[5], row[6]) for row in rows if row[4]}
    if not reported:
        return set()
    deaf = {pk for pk in {flow for flow, _ in reported} if not flows[pk].definition.retry_webhook}
    versions = FlowVersion.across_tenants.filter(pk__in={version for _, version in reported})
    bare = {pk for pk, definition in versions.values_list("pk", "definition") if not definition.get("steps")}
    return {(flow, version) for flow, version in reported if flow in deaf and version in bare}
