"""The triggers that write down every change of a run or a step for the roll-ups.

In the database, since runs are changed in many ways (one by one, by the thousand, by hand), and a figure that misses
one of them is wrong for ever. They are made after the migrations, not by one: SQLite drops a table's triggers when a
migration rebuilds the table, and cannot rebuild one that another table's trigger names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections, router

from .recounting import CHANGE_COLUMNS, clear, recount, run_sql, step_sql
from .rollup import RollupChange

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

RUN, STEP, CHANGE = "runs_dashboard_run", "runs_dashboard_step", "runs_dashboard_rollupchange"
OF_RUN = (
    *("tenant_id", "flow_id", "created_by_id", "status", "ordered_at", "created_at", "started_at", "finished_at"),
    *("has_warnings", "is_external"),
)
OF_ITS_STEPS = ("tenant_id", "flow_id", "ordered_at")  # of a run, what its steps count under
OF_STEP = ("run_id", "component", "status", "started_at", "finished_at", "kept_from_id")


def _put(columns: str, source: str = "") -> str:
    """An INSERT of changes."""
    return f"INSERT INTO {CHANGE} ({CHANGE_COLUMNS}) SELECT {columns} {source};"


def _steps_of(row: str, sign: int, *, is_news: bool = True) -> str:
    """The steps of a run that is called `row`, under what that row says."""
    source = f"FROM {STEP} step WHERE step.run_id = {row}.id AND step.kept_from_id IS NULL"
    return _put(step_sql(sign, run=row, is_news=is_news), source)


def _step(row: str, sign: int, *, is_news: bool = True) -> str:
    source = f"FROM {RUN} run WHERE run.id = {row}.run_id AND {row}.kept_from_id IS NULL"
    return _put(step_sql(sign, step=row, is_news=is_news), source)


def _differs(names: tuple[str, ...], sign: str) -> str:
    return " OR ".join(f"OLD.{name} {sign} NEW.{name}" for name in names)


def _sqlite() -> dict[str, str]:
    """Name to CREATE TRIGGER."""
    moved = " ".join((_put(run_sql(-1, run="OLD")), _put(run_sql(1, run="NEW"))))
    bodies = {
        "rollup_run_added": (f"AFTER INSERT ON {RUN}", _put(run_sql(1, run="NEW"))),
        "rollup_run_changed": (
            f"AFTER UPDATE OF {', '.join(OF_RUN)} ON {RUN} WHEN {_differs(OF_RUN, 'IS NOT')}",
            moved,
        ),
        "rollup_run_moved": (
            f"AFTER UPDATE OF {', '.join(OF_ITS_STEPS)} ON {RUN} WHEN {_differs(OF_ITS_STEPS, 'IS NOT')}",
            f"{_steps_of('OLD', -1)} {_steps_of('NEW', 1)}",
        ),
        "rollup_run_gone": (
            f"AFTER DELETE ON {RUN}",
            _put(run_sql(-1, run="OLD", is_news=False)) + " " + _steps_of("OLD", -1, is_news=False),
        ),
        "rollup_step_added": (f"AFTER INSERT ON {STEP}", _step("NEW", 1)),
        "rollup_step_changed": (
            f"AFTER UPDATE OF {', '.join(OF_STEP)} ON {STEP} WHEN {_differs(OF_STEP, 'IS NOT')}",
            f"{_step('OLD', -1)} {_step('NEW', 1)}",
        ),
        "rollup_step_gone": (f"AFTER DELETE ON {STEP}", _step("OLD", -1, is_news=False)),
    }
    return {name: f"CREATE TRIGGER {name} {when} BEGIN {body} END" for name, (when, body) in bodies.items()}


def _postgres() -> dict[str, str]:
    """Name to CREATE FUNCTION and CREATE TRIGGER. What is added or deleted by the thousand is taken at once."""
    apart = "IS DISTINCT FROM"
    added, gone = "REFERENCING NEW TABLE AS rows FOR EACH STATEMENT", "REFERENCING OLD TABLE AS rows FOR EACH STATEMENT"
    joined = f"FROM rows step JOIN {RUN} run ON run.id = step.run_id WHERE step.kept_from_id IS NULL"
    orphaned = f"FROM rows run JOIN {STEP} step ON step.run_id = run.id WHERE step.kept_from_id IS NULL"
    bodies = {
        "rollup_run_added": (f"AFTER INSERT ON {RUN} {added}", _put(run_sql(1), "FROM rows run")),
        "rollup_run_changed": (
            f"AFTER UPDATE OF {', '.join(OF_RUN)} ON {RUN} FOR EACH ROW WHEN ({_differs(OF_RUN, apart)})",
            _put(run_sql(-1, run="OLD")) + _put(run_sql(1, run="NEW")),
        ),
        "rollup_run_moved": (
            f"AFTER UPDATE OF {', '.join(OF_ITS_STEPS)} ON {RUN} FOR EACH ROW WHEN ({_differs(OF_ITS_STEPS, apart)})",
            _steps_of("OLD", -1) + _steps_of("NEW", 1),
        ),
        "rollup_run_gone": (
            f"AFTER DELETE ON {RUN} {gone}",
            _put(run_sql(-1, is_news=False), "FROM rows run") + _put(step_sql(-1, is_news=False), orphaned),
        ),
        "rollup_step_added": (f"AFTER INSERT ON {STEP} {added}", _put(step_sql(1), joined)),
        "rollup_step_changed": (
            f"AFTER UPDATE OF {', '.join(OF_STEP)} ON {STEP} FOR EACH ROW WHEN ({_differs(OF_STEP, apart)})",
            _step("OLD", -1) + _step("NEW", 1),
        ),
        "rollup_step_gone": (f"AFTER DELETE ON {STEP} {gone}", _put(step_sql(-1, is_news=False), joined)),
    }
    return {
        name: f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body} RETURN NULL; END $$; CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()"
        for name, (when, body) in bodies.items()
    }


def install(using: str = "default", **event: Any) -> None:
    """After the migrations: makes the triggers that are missing, and then counts afresh what there is."""
    connection = connections[using]
    if not router.allow_migrate_model(using, RollupChange):
        return
    with connection.cursor() as cursor:
        if not {RUN, STEP, CHANGE} <= set(connection.introspection.table_names(cursor)):
            return  # the migrations were led back before the roll-ups
        known = _known(connection)
        wanted = _sqlite() if connection.vendor == "sqlite" else _postgres()
        for name, statement in wanted.items():
            if name not in known:
                cursor.execute(statement)
        cursor.execute(f"SELECT 1 FROM {RUN} LIMIT 1")  # noqa: S608  (a name of our own)
        has_runs = cursor.fetchone() is not None
    if not has_runs:
        clear()
    elif not known >= wanted.keys():
        recount()


def remove(using: str = "default", plan: Any = (), **event: Any) -> None:
    """Before migrations on SQLite, which could not rebuild the tables otherwise; `install` makes them again."""
    connection = connections[using]
    if plan and connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for name in _known(connection):
                cursor.execute(f"DROP TRIGGER {name}")


def _known(connection: BaseDatabaseWrapper) -> set[str]:
    if connection.vendor == "sqlite":
        question = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'rollup!_%' ESCAPE '!'"
    else:
        question = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'rollup!_%' ESCAPE '!'"
    with connection.cursor() as cursor:
        cursor.execute(question)
        return {row[0] for row in cursor.fetchall()}
