"""The shapes of what clients send. A field that is not named here is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..filter_fields import MILLISECONDS_LIMIT
from ..models.bulk_action import MOST_PER_SECOND, MOST_RUNS, USUAL_PER_SECOND
from .representations import FlowKind, Level, Phase

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_.-]+$", min_length=1, max_length=255)]
FlowId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_.-]+$", min_length=1, max_length=200)]
Short = Annotated[str, msgspec.Meta(max_length=200)]
MILLISECONDS = msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": MILLISECONDS_LIMIT})
# ISO 8601, or Unix milliseconds
Moment = (
    Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
    | Annotated[int, MILLISECONDS]
    | Annotated[float, MILLISECONDS]
    | None
)
Scalar = str | int | float | bool
FilterValue = Annotated[str, msgspec.Meta(max_length=1_000)] | bool | int


class RetryBody(msgspec.Struct, rename={"from_": "from"}, forbid_unknown_fields=True):
    """`from`: `start`, `failed` (succeeded steps are kept) or a step's id (those before it are kept).

    `args`: changed ones; `version`, `environment`: the same, or the newest; `outputs`: by kept step, its changed ones.
    """

    from_: Short = "start"
    args: dict[str, Any] | None = None
    version: Literal["same", "newest"] = "same"
    environment: Literal["same", "newest"] = "same"
    outputs: dict[str, dict[str, Any]] = {}


class StopBody(msgspec.Struct, forbid_unknown_fields=True):
    """`force` ends the grace at once."""

    force: bool = False
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class NoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """Plain text, in which addresses become links."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]


class DownloadBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds: everything, or the lines of a step, an attempt, some levels, a stream, with a text."""

    format: Literal["txt", "ndjson", "csv", "bundle", "raw"] | None = None
    raw: bool | None = None
    step: Short = ""
    attempt: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    levels: list[Level] = []
    stream: Literal["stdout", "stderr"] | None = None
    text: Short = ""


class EmptyBody(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing, or an empty object."""


class BulkBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`filter`: the names of the run list without their brackets, a value or several; or `runs`: ids.

    `start_at`, `version`, `environment`, `args` (inputs that every retry gets, the others stay) and `per_second` are a
    retry's. `at_most`: refused where more runs match. `dry_run`: says what would be done, and does nothing.
    """

    action: Literal["retry", "stop", "review"]
    filter: dict[str, FilterValue | list[FilterValue]] | None = None
    runs: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]],
            msgspec.Meta(min_length=1, max_length=MOST_RUNS),
        ]
        | None
    ) = None
    start_at: Literal["start", "failed"] = "start"
    version: Literal["same", "newest"] = "same"
    environment: Literal["same", "newest"] = "same"
    args: dict[str, Any] = {}
    per_second: Annotated[int, msgspec.Meta(ge=1, le=MOST_PER_SECOND)] = USUAL_PER_SECOND
    at_most: Annotated[int, msgspec.Meta(ge=0, le=MOST_RUNS)] = MOST_RUNS
    dry_run: bool = False


class TagBody(msgspec.Struct, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    value: Annotated[str, msgspec.Meta(max_length=255)] = ""


class PairBody(msgspec.Struct, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    value: Scalar


Tags = Annotated[list[TagBody], msgspec.Meta(max_length=100)]
Tracked = Annotated[dict[str, Scalar | list[Scalar]], msgspec.Meta(max_length=1_000)]


class EndUserBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """On whose behalf the run ran."""

    session_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = "service_api"
    is_anonymous: bool = False


class ActionBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One attempt of one step; what is not given stays as it is."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    name: Short | None = None
    component: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    phase: Phase | None = None
    start_time: Moment = None
    end_time: Moment = None
    attempt: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    error: str | None = None


class PayloadBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A body attached to a line."""

    body: Any = ""
    kind: Literal["request", "response", "record"] = "record"
    name: Short = ""
    content_type: Annotated[str, msgspec.Meta(max_length=100)] = ""
    headers: dict[str, Any] = {}


class LineBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """One log entry. Without a level it is read from the message, without a time it is now."""

    message: str
    timestamp: Moment = None
    level: str | None = None
    action: Short | None = None
    stream: Literal["stdout", "stderr"] | None = None
    metadata: dict[str, Any] | None = None
    payloads: Annotated[list[PayloadBody], msgspec.Meta(max_length=100)] | None = None


class LogsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Lines to append."""

    logs: list[LineBody]


class StartBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A run to start (seed 1). `flowType` is taken and not looked at: the flow knows its own."""

    flow_id: FlowId
    id: Id | None = None
    flow_type: FlowKind | None = None
    args: dict[str, Any] | None = None
    tags: Tags | None = None
    environment: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    end_user: EndUserBody | None = None
    conversation_id: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    tracked_data: Tracked | list[PairBody] | None = None


class PatchBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What an engine says of its run; what is not given, or null, stays as it is.

    `logs` is the whole log so far: what is there already is not appended again. `flowType` is the type of a flow that
    this report names for the first time; a known flow keeps its own.
    """

    id: Id | None = None
    flow_id: FlowId | None = None
    flow_type: FlowKind | None = None
    args: dict[str, Any] | None = None
    tags: Tags | None = None
    phase: Phase | None = None
    start_time: Moment = None
    end_time: Moment = None
    actions: Annotated[list[ActionBody], msgspec.Meta(max_length=1_000)] | None = None
    outputs: dict[str, Any] | None = None
    logs: list[LineBody] | None = None
    error: str | None = None
    tracked_data: Tracked | list[PairBody] | None = None
    metrics: Annotated[dict[str, float], msgspec.Meta(max_length=100)] | None = None
    end_user: EndUserBody | None = None
    environment: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    conversation_id: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    llms: Any = None
    feedback: Any = None
    parent_run_id: Annotated[str, msgspec.Meta(max_length=255)] | None = None


class ReportBody(PatchBody, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The same for a run that may be new: it names its flow."""

    flow_id: FlowId
