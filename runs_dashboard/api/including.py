"""Relations of runs and log entries: what `include` and `fields[…]` name (seed 3), read in a constant number of
queries however many objects there are."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ..models import LogMetadata, Payload, Run, RunTag, Step, TrackedData
from . import representations as shapes
from .log_pages import first_entries, first_entries_of
from .parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet

    from ..models import Entry
    from .representations import FlowRun, LogEntry

RUN_INCLUDES = (
    *("flowVersion", "flowVersion.steps", "flow", "flowRunLogs", "errorWarningLogs", "flowRunLogs.flowStep"),
    *("trackedData", "metrics", "cpuTime", "payloadSize", "operationsSent", "operationsReceived", "retriedFlowRun"),
    *("virtualEnvironmentVersion", "virtualEnvironmentVersion.virtualEnvironment"),
)
RUN_FIELDS = {
    "trackedData": ("id",),
    "flow": ("id", "name"),
    "flowVersion": ("steps.name",),
    "retriedFlowRun": ("id", "status"),
}
LOG_INCLUDES = ("flowRun", "flowStep", "flowRunLogMetadata", "flowRunLogPayloads", "flowStep.payloads")
LOG_FIELDS = {"flowStep": ("id", "name", "payload.id")}
EXTRA_COLUMNS = {
    "metrics": ("metrics", "cpu_ms", "payload_bytes", "operations_sent", "operations_received", "total_tokens"),
    "cpuTime": ("cpu_ms",),
    "payloadSize": ("payload_bytes",),
    "operationsSent": ("operations_sent",),
    "operationsReceived": ("operations_received",),
    "flowVersion": ("version__number", "version__created_at"),
    "flowVersion.steps": ("version__number", "version__created_at", "version__definition"),
}
FIRST_LOGS, FIRST_LOGS_IN_LIST = 100, 20
TROUBLE = frozenset({2, 3, 4})
MAX_PAYLOAD_IDS = 1_000


def include_parameters(includes: tuple[str, ...], fields: Mapping[str, tuple[str, ...]]) -> tuple[Parameter, ...]:
    return (
        Parameter("include", "words", "Relations to add.", default=(), choices=includes),
        *(
            Parameter(f"fields[{name}]", "words", f"Only these fields of {name}.", choices=known)
            for name, known in fields.items()
        ),
    )


RUN_PARAMETERS = include_parameters(RUN_INCLUDES, RUN_FIELDS)
LOG_PARAMETERS = include_parameters(LOG_INCLUDES, LOG_FIELDS)


def read_rows(runs: QuerySet, query: dict[str, Any], *, is_single: bool = False) -> QuerySet:
    """Rows of the runs for `show_runs`, with what the query includes and no more."""
    columns = shapes.WHOLE_RUN_COLUMNS if is_single else shapes.RUN_COLUMNS
    wanted = list(query["include"])
    if query.get("fields[flowVersion]") and "flowVersion" in wanted:
        wanted.append("flowVersion.steps")
    extra = {column: None for name in wanted for column in EXTRA_COLUMNS.get(name, ())}
    return runs.values_list(*columns, *extra, named=True)


def show_runs(runs: list[Any], query: dict[str, Any], *, is_single: bool = False) -> list[FlowRun]:
    """`read_rows` of one tenant with what the query includes. is_single: with args, outputs and the first logs."""
    if not runs:
        return []
    pks = [run.id for run in runs]
    include = set(query["include"])
    actions: dict[int, list[Any]] = defaultdict(list)
    steps = Step.hanging_on(pks).order_by("position", "attempt", "id")
    for step in steps.values_list(*shapes.STEP_COLUMNS, named=True):
        actions[step.run_id].append(step)
    tags: dict[int, list[tuple[str, str]]] = defaultdict(list)
    rows = RunTag.hanging_on(pks).order_by("key").values_list("run_id", "key", "value")
    for run_pk, key, value in rows:
        tags[run_pk].append((key, value))
    entries: dict[int, list[Entry]] = {}
    if is_single:
        entries = {run.id: first_entries(as_owner(run), limit=FIRST_LOGS) for run in runs}
    elif include & {"flowRunLogs", "flowRunLogs.flowStep"}:
        entries = first_entries_of(runs, limit=FIRST_LOGS_IN_LIST)
    trouble: dict[int, list[Entry]] = {}
    if "errorWarningLogs" in include:
        trouble = first_entries_of(runs, levels=TROUBLE, limit=FIRST_LOGS if is_single else FIRST_LOGS_IN_LIST)
    tracked: dict[int, list[Any]] = defaultdict(list)
    if "trackedData" in include:
        for row in TrackedData.hanging_on(pks).order_by("key", "value"):
            tracked[row.run_id].append(row)
    shown = []
    for run in runs:
        logs = [shapes.show_entry(run.uid, entry) for entry in entries.get(run.id, ())]
        show = shapes.show_whole_run if is_single else shapes.show_run
        one = show(run, actions=actions[run.id], tags=tags[run.id], logs=logs)
        _relate(one, run, include, query)
        if include & {"flowRunLogs", "flowRunLogs.flowStep"}:
            one.flow_run_logs = [shapes.show_entry(run.uid, entry) for entry in entries.get(run.id, ())]
            if "flowRunLogs.flowStep" in include:
                _add_steps(one.flow_run_logs, entries.get(run.id, []), actions[run.id])
        if "errorWarningLogs" in include:
            one.error_warning_logs = [shapes.show_entry(run.uid, entry) for entry in trouble.get(run.id, ())]
        if "trackedData" in include:
            parts = [{"id": str(row.uuid), "key": row.key, "value": row.value} for row in tracked[run.id]]
            one.tracked_data = [_pick(part, query.get("fields[trackedData]")) for part in parts]
        shown.append(one)
    return shown


def as_owner(row: Any) -> Run:
    """The run of a row, as far as its log must know it."""
    return Run(id=row.id, tenant_id=row.tenant_id, uid=row.uid, status=row.status, line_count=row.line_count)


def _relate(one: FlowRun, run: Any, include: set[str], query: dict[str, Any]) -> None:
    """The relations that the run's own row, and its joins, hold."""
    if "flow" in include:
        part: dict[str, Any] = {
            "id": run.flow__slug,
            "name": run.flow__name or run.flow__slug,
            "flowType": run.flow__flow_type,
        }
        one.flow = _pick(part, query.get("fields[flow]"))
    if include & {"flowVersion", "flowVersion.steps"}:
        chosen = query.get("fields[flowVersion]")
        has_steps = "flowVersion.steps" in include or chosen
        steps = run.version__definition.get("steps", ()) if has_steps else None
        part = shapes.show_version(run.version__uuid, run.version__number, run.version__created_at, steps)
        if chosen:
            part = {"steps": [{"name": step["name"]} for step in part["steps"]]}
        one.flow_version = part
    if "metrics" in include:
        one.metrics = {
            **run.metrics,
            "cpuTime": run.cpu_ms,
            "payloadSize": run.payload_bytes,
            "operationsSent": run.operations_sent,
            "operationsReceived": run.operations_received,
            "totalTokens": run.total_tokens,
        }
    if "cpuTime" in include:
        one.cpu_time = run.cpu_ms
    if "payloadSize" in include:
        one.payload_size = run.payload_bytes
    if "operationsSent" in include:
        one.operations_sent = run.operations_sent
    if "operationsReceived" in include:
        one.operations_received = run.operations_received
    if "retriedFlowRun" in include:
        brief = {"id": run.retried_run__uid, "status": run.retried_run__status} if run.retried_run__uid else None
        one.retried_flow_run = _pick(brief, query.get("fields[retriedFlowRun]")) if brief else None
    if include & {"virtualEnvironmentVersion", "virtualEnvironmentVersion.virtualEnvironment"}:
        one.virtual_environment_version = None
        if run.environment_version__uuid:
            version = {"id": str(run.environment_version__uuid), "number": run.environment_version__number}
            if "virtualEnvironmentVersion.virtualEnvironment" in include:
                environment = str(run.environment_version__environment__uuid)
                name = run.environment_version__environment__name
                version["virtualEnvironment"] = {"id": environment, "name": name}
            one.virtual_environment_version = version


def _pick(part: dict[str, Any], names: tuple[str, ...] | None) -> dict[str, Any]:
    return part if names is None else {name: part[name] for name in names if name in part}


def _add_steps(shown: list[LogEntry], entries: list[Entry], steps: Iterable[Any]) -> None:
    known = {(step.slug, step.attempt): step for step in steps}
    for one, entry in zip(shown, entries, strict=True):
        step = known.get((entry.action or "", entry.attempt or 0))
        one.flow_step = shapes.show_step_of_entry(step) if step else None


def show_entries(run: Run, entries: list[Entry], query: dict[str, Any]) -> list[LogEntry]:
    """Entries of one run with what the query includes."""
    include = set(query["include"])
    shown = [shapes.show_entry(run.uid, entry) for entry in entries]
    lines = [entry.line for entry in entries]
    if "flowRun" in include:
        brief = shapes.show_brief(run) | {"flowId": run.flow.slug}
        for one in shown:
            one.flow_run = brief
    if include & {"flowStep", "flowStep.payloads"}:
        _show_steps(run, shown, entries, query, has_payloads="flowStep.payloads" in include)
    if "flowRunLogMetadata" in include:
        rows = {row.line: row for row in LogMetadata.objects.of(run.tenant_id).filter(run=run, line__in=lines)}
        for one in shown:
            one.metadata = shapes.show_metadata(rows.get(one.line))
    if "flowRunLogPayloads" in include:
        found: dict[int, list[Any]] = defaultdict(list)
        for payload in Payload.objects.of(run.tenant_id).filter(run=run, line__in=lines).order_by("id"):
            found[payload.line].append(shapes.show_payload(payload))
        for one in shown:
            one.payloads = found[one.line]
    return shown


def _show_steps(
    run: Run, shown: list[LogEntry], entries: list[Entry], query: dict[str, Any], *, has_payloads: bool
) -> None:
    steps = {(step.slug, step.attempt): step for step in run.steps.defer("outputs")}
    chosen = query.get("fields[flowStep]")
    ids: dict[int, list[str]] = defaultdict(list)
    if has_payloads or (chosen and "payload.id" in chosen):
        wanted = {(entry.action or "", entry.attempt or 0) for entry in entries}
        pks = [step.pk for place, step in steps.items() if place in wanted]
        rows = Payload.objects.of(run.tenant_id).filter(run=run, step__in=pks).order_by("id")
        for step_pk, number in rows.values_list("step_id", "uuid")[:MAX_PAYLOAD_IDS]:
            ids[step_pk].append(str(number))
    names = None if chosen is None else tuple("payloads" if name == "payload.id" else name for name in chosen)
    is_listed = has_payloads or (names is not None and "payloads" in names)
    for one, entry in zip(shown, entries, strict=True):
        step = steps.get((entry.action or "", entry.attempt or 0))
        part = shapes.show_step_of_entry(step, ids[step.pk] if is_listed else None) if step else None
        one.flow_step = _pick(part, names) if part else None
