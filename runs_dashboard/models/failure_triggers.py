"""The triggers that write down every change of a failed run for the groups of errors."""

from __future__ import annotations

from .error_group import ErrorGroup, FailureChange
from .failure_folding import CHANGE_COLUMNS, clear_failures, counts_sql, failure_sql, recount_failures
from .triggers import RUNS, TriggerSet

CHANGE = FailureChange._meta.db_table
OF_RUN = (
    *("tenant_id", "flow_id", "status", "error_fingerprint", "finished_at", "reviewed_at", "resolved_at"),
    "removing_at",
)
ADDED, CHANGED, GONE = "failure_added", "failure_changed", "failure_gone"


def _put(sign: int, row: str, is_gone: str = "0") -> str:
    return f"INSERT INTO {CHANGE} ({CHANGE_COLUMNS}) SELECT {failure_sql(sign, row, is_gone)} WHERE {counts_sql(row)};"


def _bodies(apart: str) -> dict[str, tuple[str, str]]:
    """Name to when and what; apart: how the database says that two values differ, NULLs among them."""
    differs = " OR ".join(f"OLD.{name} {apart} NEW.{name}" for name in OF_RUN)
    failed = "(OLD.status = 'failed' OR NEW.status = 'failed')"
    removed = "CASE WHEN NEW.removing_at IS NULL THEN 0 ELSE 1 END"
    return {
        ADDED: (f"AFTER INSERT ON {RUNS} FOR EACH ROW WHEN (NEW.status = 'failed')", _put(1, "NEW")),
        CHANGED: (
            f"AFTER UPDATE OF {', '.join(OF_RUN)} ON {RUNS} FOR EACH ROW WHEN ({failed} AND ({differs}))",
            f"{_put(-1, 'OLD', removed)} {_put(1, 'NEW')}",
        ),
        GONE: (f"AFTER DELETE ON {RUNS} FOR EACH ROW WHEN (OLD.status = 'failed')", _put(-1, "OLD", "1")),
    }


def _sqlite() -> dict[str, str]:
    return {name: f"CREATE TRIGGER {name} {when} BEGIN {body} END" for name, (when, body) in _bodies("IS NOT").items()}


def _postgres() -> dict[str, str]:
    return {
        name: f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body} RETURN NULL; END $$; CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()"
        for name, (when, body) in _bodies("IS DISTINCT FROM").items()
    }


TRIGGERS = TriggerSet(
    prefix="failure",
    target=FailureChange,
    tables=frozenset({RUNS, CHANGE, ErrorGroup._meta.db_table}),
    sqlite=_sqlite,
    postgres=_postgres,
    recount=recount_failures,
    clear=clear_failures,
)
