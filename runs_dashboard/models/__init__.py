"""The domain: one noun a file, its query set above its model. Verbs live on the model that owns them."""

from .audit import REAPER, SCHEDULER, WORKER, Actor, AuditEntry, Machine
from .bulk_action import BulkAction, BulkRefused
from .bulk_acts import BulkRetry
from .bulk_preview import BulkPreview, preview
from .bulk_result import BulkResult, Outcome
from .counting import HasPair
from .delivery import ResendRefused, WebhookDelivery
from .download import Download
from .environment import Environment, EnvironmentVersion
from .error_group import NO_ERROR, ErrorGroup, FailureChange
from .failure_folding import fold_failures, recount_failures, settle_failures
from .flow import Flow, FlowDisabled, FlowType, FlowVersion
from .folding import count_for_ever, fold, fold_all, look
from .growing import GrowingLine, read_growing
from .insights import Figures, Insights, Span
from .key import ApiKey
from .lifecycle import FINAL, LIVE, LeaseLost, Status, StatusConflict, measure_ms, move
from .log import LogChunk, LogClosed, append, append_system, seal
from .log_find import FindPage, find_in_log
from .log_index import LogIndexPart, drop_dead_parts, index_pending
from .log_places import Mark, first_error, read_marks
from .log_reading import Entry, LogView, Stretch, find_line, log_entry_id
from .log_search import Hit, SearchPage, search_logs
from .note import NoteRefused, RunNote, count_notes
from .once import IdempotencyKey, KeyReused, once
from .purging import Purge
from .recent import RecentRun, recent_runs
from .recounting import recount
from .reporting import Report, ReportedLine, StepReport
from .retention import Gone, purge
from .retry_call import RetryCall
from .retrying import RetryPlan, RetryRefused, StaleResult, changed_keys
from .rollup import RollupCell, RollupChange, RollupState
from .run import Run, Trigger, UidTaken, make_uid
from .run_set import UNRESOLVED
from .statistics import keep_statistics, refresh_statistics
from .step import NO_COMPONENT, Step
from .storage import StoredDay, count_day, count_storage
from .tenant import Counted, Tenant, TenantRequired
from .tracked import EndUser, LogMetadata, Payload, RunTag, TrackedData, first_pairs
from .user import LOG_DISPLAY, Membership, Role, User
from .view import SavedView, ViewRefused
from .waiting import explain_waiting
from .webhook import WebhookSecret, is_timely
from .worker import Worker

__all__ = [
    "FINAL",
    "LIVE",
    "LOG_DISPLAY",
    "NO_COMPONENT",
    "NO_ERROR",
    "REAPER",
    "SCHEDULER",
    "UNRESOLVED",
    "WORKER",
    "Actor",
    "ApiKey",
    "AuditEntry",
    "BulkAction",
    "BulkPreview",
    "BulkRefused",
    "BulkResult",
    "BulkRetry",
    "Counted",
    "Download",
    "EndUser",
    "Entry",
    "Environment",
    "EnvironmentVersion",
    "ErrorGroup",
    "FailureChange",
    "Figures",
    "FindPage",
    "Flow",
    "FlowDisabled",
    "FlowType",
    "FlowVersion",
    "Gone",
    "GrowingLine",
    "HasPair",
    "Hit",
    "IdempotencyKey",
    "Insights",
    "KeyReused",
    "LeaseLost",
    "LogChunk",
    "LogClosed",
    "LogIndexPart",
    "LogMetadata",
    "LogView",
    "Machine",
    "Mark",
    "Membership",
    "NoteRefused",
    "Outcome",
    "Payload",
    "Purge",
    "RecentRun",
    "Report",
    "ReportedLine",
    "ResendRefused",
    "RetryCall",
    "RetryPlan",
    "RetryRefused",
    "Role",
    "RollupCell",
    "RollupChange",
    "RollupState",
    "Run",
    "RunNote",
    "RunTag",
    "SavedView",
    "SearchPage",
    "Span",
    "StaleResult",
    "Status",
    "StatusConflict",
    "Step",
    "StepReport",
    "StoredDay",
    "Stretch",
    "Tenant",
    "TenantRequired",
    "TrackedData",
    "Trigger",
    "UidTaken",
    "User",
    "ViewRefused",
    "WebhookDelivery",
    "WebhookSecret",
    "Worker",
    "append",
    "append_system",
    "changed_keys",
    "count_day",
    "count_for_ever",
    "count_notes",
    "count_storage",
    "drop_dead_parts",
    "explain_waiting",
    "find_in_log",
    "find_line",
    "first_error",
    "first_pairs",
    "fold",
    "fold_all",
    "fold_failures",
    "index_pending",
    "is_timely",
    "keep_statistics",
    "log_entry_id",
    "look",
    "make_uid",
    "measure_ms",
    "move",
    "once",
    "preview",
    "purge",
    "read_growing",
    "read_marks",
    "recent_runs",
    "recount",
    "recount_failures",
    "refresh_statistics",
    "seal",
    "search_logs",
    "settle_failures",
]
