"""The triggers that write down every change of a run or a step for the roll-ups."""

from __future__ import annotations

from .recounting import CHANGE_COLUMNS, clear, recount, run_sql, step_sql
from .rollup import RollupChange
from .triggers import RUNS, TriggerSet

RUN, STEP, CHANGE = RUNS, "runs_dashboard_step", "runs_dashboard_rollupchange"
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


TRIGGERS = TriggerSet(
    "rollup", RollupChange, frozenset({RUN, STEP, CHANGE}), _sqlite, _postgres, recount=recount, clear=clear
)
