"""The shapes of what the API answers: the only place that knows them. Seed 1's names, and more beside them.

Times are ISO 8601, UTC, with milliseconds. What an `include` did not ask for is left out (UNSET).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ..models import log_entry_id, measure_ms
from ..text.levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from ..models import Download, Entry, Flow, Run
    from ..models.tracked import LogMetadata, Payload

Phase = Literal["queued", "running", "paused", "succeeded", "failed", "stopped"]
FlowKind = Literal["automation", "selfServiceAction", "scorecard", "reference"]
Level = Literal["debug", "info", "warning", "error", "critical"]
TriggerWord = Literal["manual", "api", "webhook", "schedule", "retry", "flow", "external"]
Part = dict[str, Any]


def iso(moment: datetime | None) -> str | None:
    """`2026-03-01T19:00:00.000Z`, or None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


class KeyValue(msgspec.Struct):
    key: str
    value: str


class Action(msgspec.Struct, rename="camel"):
    """One attempt of one step. `id` is the step's id in its flow, `stepId` this attempt's own."""

    id: str
    phase: Phase
    start_time: str | None
    end_time: str | None
    name: str
    component: str
    attempt: int
    error: str | None
    step_id: str
    is_kept: bool


class LogEntry(msgspec.Struct, rename="camel"):
    """One line, or message, of a run."""

    id: str
    line: int
    timestamp: str
    level: Level
    message: str
    action: str | None
    stream: Literal["stdout", "stderr"] | None
    system: bool
    flow_run: Part | UnsetType = UNSET
    flow_step: Part | UnsetType | None = UNSET
    metadata: Part | UnsetType | None = UNSET
    payloads: list[Part] | UnsetType = UNSET


class EndUserShape(msgspec.Struct, rename="camel"):
    id: str
    type: str
    session_id: str
    is_anonymous: bool


class FlowRun(msgspec.Struct, rename="camel"):
    """Seed 1's object. `phase` and `status` are the same word: seed 1 reads the one, seed 3 the other.

    In lists `logs` is empty unless included (`lineCount` says how many there are), `args` and `outputs` are left out.
    """

    id: str
    flow_id: str
    flow_type: FlowKind
    phase: Phase
    status: Phase
    start_time: str | None
    end_time: str | None
    actions: list[Action]
    logs: list[LogEntry]
    tags: list[KeyValue]
    created_at: str
    created_by: int | None
    updated_at: str
    updated_by: int | None
    reviewed_by: int | None
    reviewed_at: str | None
    trigger: TriggerWord
    attempt: int
    duration_ms: int | None
    error: str | None
    error_step: str | None
    line_count: int
    warning_count: int
    error_count: int
    step_count: int
    steps_done: int
    has_warnings: bool
    retried: bool
    retried_run_id: str | None
    parent_run_id: str | None
    stop_requested_at: str | None
    resumed_at: str | None
    flow_version_id: str
    environment: str | None
    args: Part | UnsetType = UNSET
    outputs: Part | UnsetType = UNSET
    end_user: EndUserShape | UnsetType | None = UNSET
    conversation_id: str | UnsetType | None = UNSET
    flow_version: Part | UnsetType = UNSET
    flow: Part | UnsetType = UNSET
    flow_run_logs: list[LogEntry] | UnsetType = UNSET
    error_warning_logs: list[LogEntry] | UnsetType = UNSET
    tracked_data: list[Part] | UnsetType = UNSET
    metrics: Part | UnsetType = UNSET
    cpu_time: int | UnsetType = UNSET
    payload_size: int | UnsetType = UNSET
    operations_sent: int | UnsetType = UNSET
    operations_received: int | UnsetType = UNSET
    retried_flow_run: Part | UnsetType | None = UNSET
    virtual_environment_version: Part | UnsetType | None = UNSET


RUN_COLUMNS = (
    *(
        "id",
        "tenant_id",
        "uid",
        "status",
        "trigger",
        "attempt",
        "is_retried",
        "is_external",
        "step_count",
        "steps_done",
    ),
    *("created_at", "started_at", "finished_at", "resumed_at", "updated_at", "ordered_at", "reviewed_at"),
    *("created_by_id", "updated_by_id", "reviewed_by_id", "stop_requested_at", "error", "error_step"),
    *("line_count", "warning_count", "error_count", "has_warnings"),
    *("flow__slug", "flow__name", "flow__flow_type", "version__uuid"),
    *("retried_run__uid", "retried_run__status", "parent_run__uid"),
    *("environment_version__uuid", "environment_version__number", "environment_version__environment__name"),
    "environment_version__environment__uuid",
)
WHOLE_RUN_COLUMNS = (
    *RUN_COLUMNS,
    *("args", "outputs", "conversation_id"),
    *("end_user_id", "end_user__uuid", "end_user__type", "end_user__session_id", "end_user__is_anonymous"),
)
STEP_COLUMNS = (
    *("run_id", "uuid", "slug", "name", "component", "status", "started_at", "finished_at", "attempt", "error"),
    "kept_from_id",
)


def show_run(
    run: Any, *, actions: Iterable[Any], tags: Iterable[tuple[str, str]], logs: list[LogEntry] | None = None
) -> FlowRun:
    """A row of RUN_COLUMNS (and more), with its rows of STEP_COLUMNS: a model instance costs five times as much."""
    return FlowRun(
        id=run.uid,
        flow_id=run.flow__slug,
        flow_type=run.flow__flow_type,
        phase=run.status,
        status=run.status,
        start_time=iso(run.started_at),
        end_time=iso(run.finished_at),
        actions=[show_action(step) for step in actions],
        logs=logs or [],
        tags=[KeyValue(key, value) for key, value in tags],
        created_at=iso(run.created_at) or "",
        created_by=run.created_by_id,
        updated_at=iso(run.updated_at) or "",
        updated_by=run.updated_by_id,
        reviewed_by=run.reviewed_by_id,
        reviewed_at=iso(run.reviewed_at),
        trigger=run.trigger,
        attempt=run.attempt,
        duration_ms=measure_ms(run.started_at, run.finished_at),
        error=run.error or None,
        error_step=run.error_step or None,
        line_count=run.line_count,
        warning_count=run.warning_count,
        error_count=run.error_count,
        step_count=run.step_count,
        steps_done=run.steps_done,
        has_warnings=run.has_warnings,
        retried=run.is_retried,
        retried_run_id=run.retried_run__uid,
        parent_run_id=run.parent_run__uid,
        stop_requested_at=iso(run.stop_requested_at),
        resumed_at=iso(run.resumed_at),
        flow_version_id=str(run.version__uuid),
        environment=run.environment_version__environment__name,
    )


def show_whole_run(run: Any, *, actions: Iterable[Any], tags: Any, logs: list[LogEntry]) -> FlowRun:
    """The same of a row of WHOLE_RUN_COLUMNS, with what only the single object has."""
    shown = show_run(run, actions=actions, tags=tags, logs=logs)
    shown.args, shown.outputs = run.args, run.outputs
    shown.conversation_id = run.conversation_id or None
    shown.end_user = None
    if run.end_user_id is not None:
        shown.end_user = EndUserShape(
            str(run.end_user__uuid), run.end_user__type, run.end_user__session_id, run.end_user__is_anonymous
        )
    return shown


def show_action(step: Any) -> Action:
    """A step, or a row of STEP_COLUMNS."""
    return Action(
        id=step.slug,
        phase=step.status,
        start_time=iso(step.started_at),
        end_time=iso(step.finished_at),
        name=step.name or step.slug,
        component=step.component,
        attempt=step.attempt,
        error=step.error or None,
        step_id=str(step.uuid),
        is_kept=step.kept_from_id is not None,
    )


def show_entry(run_uid: str, entry: Entry) -> LogEntry:
    return LogEntry(
        id=log_entry_id(run_uid, entry.line),
        line=entry.line,
        timestamp=iso(entry.at) or "",
        level=LEVELS[entry.level],  # type: ignore[arg-type]
        message=entry.message,
        action=entry.action,
        stream=entry.stream,  # type: ignore[arg-type]
        system=entry.is_system,
    )


def show_step_of_entry(step: Any, payload_ids: list[str] | None = None) -> Part:
    """A log entry's `flowStep`."""
    shown: Part = {
        "id": str(step.uuid),
        "name": step.name or step.slug,
        "action": step.slug,
        "component": step.component,
        "attempt": step.attempt,
        "phase": str(step.status),
    }
    if payload_ids is not None:
        shown["payloads"] = [{"id": one} for one in payload_ids]
    return shown


def show_payload(payload: Payload) -> Part:
    return {
        "id": str(payload.uuid),
        "kind": payload.kind,
        "name": payload.name,
        "contentType": payload.content_type,
        "headers": payload.headers,
        "body": payload.body,
        "size": payload.size,
        "isTruncated": payload.is_truncated,
        "createdAt": iso(payload.created_at),
    }


def show_metadata(row: LogMetadata | None) -> Part | None:
    return row.data if row else None


class Heartbeat(msgspec.Struct):
    """Whether the engine is to stop."""

    stop: bool


class DownloadShape(msgspec.Struct, rename="camel"):
    """A file made in the background from a run's log."""

    id: str
    status: Literal["queued", "running", "ready", "failed", "expired"]
    format: Literal["txt", "ndjson", "csv", "bundle"]
    raw: bool
    filters: Part
    flow_run_id: str
    size: int | None
    sha256: str | None
    created_at: str
    expires_at: str | None
    url: str
    last_line: int
    is_cut: bool
    progress: int
    error: str | None


def show_download(download: Download) -> DownloadShape:
    return DownloadShape(
        id=str(download.uuid),
        status=download.current_status,  # type: ignore[arg-type]
        format=download.format,  # type: ignore[arg-type]
        raw=download.is_raw,
        filters=download.filters,
        flow_run_id=download.run_uid,
        size=download.size,
        sha256=download.sha256 or None,
        created_at=iso(download.created_at) or "",
        expires_at=iso(download.expires_at),
        url=f"/api/v1/file-downloads/{download.uuid}/content",
        last_line=download.last_line,
        is_cut=download.is_cut,
        progress=download.progress,
        error=download.error or None,
    )


class FlowShape(msgspec.Struct, rename="camel"):
    """What can run, with its latest version and its last run."""

    id: str
    name: str
    description: str
    flow_type: FlowKind
    is_enabled: bool
    is_external: bool
    schedule: str | None
    next_run_at: str | None
    latest_version: Part | None
    last_run: Part | None
    created_at: str
    updated_at: str
    inputs: Part | UnsetType = UNSET


def show_flow(flow: Flow, last_run: Run | None) -> FlowShape:
    version = flow.latest
    definition = version.definition if version else {}
    return FlowShape(
        id=flow.slug,
        name=flow.name or flow.slug,
        description=flow.description,
        flow_type=flow.flow_type,  # type: ignore[arg-type]
        is_enabled=flow.is_enabled,
        is_external=flow.is_external,
        schedule=definition.get("schedule"),
        next_run_at=None if flow.is_schedule_paused else iso(flow.next_run_at),
        latest_version=show_version(version.uuid, version.number, version.created_at, definition.get("steps", ()))
        if version
        else None,
        last_run=show_brief(last_run) | {"startTime": iso(last_run.started_at)} if last_run else None,
        created_at=iso(flow.created_at) or "",
        updated_at=iso(flow.updated_at) or "",
    )


def show_brief(run: Run) -> Part:
    """A run where another object names it."""
    return {"id": run.uid, "status": str(run.status)}


def show_version(uuid: UUID, number: int, created_at: datetime, steps: Iterable[Part] | None = None) -> Part:
    """A flow version; `steps` as they stand in its definition."""
    shown: Part = {"id": str(uuid), "number": number, "createdAt": iso(created_at)}
    if steps is not None:
        shown["steps"] = [
            {"id": step["id"], "name": step.get("name") or step["id"], "component": step["component"]} for step in steps
        ]
    return shown
