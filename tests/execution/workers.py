"""A real worker in a thread, flows of real programs for it, and what their runs left behind."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection

from runs_dashboard.definition.yaml_source import parse
from runs_dashboard.execution import proctree
from runs_dashboard.execution.instance import scope_of
from runs_dashboard.execution.worker import EmbeddedWorker
from runs_dashboard.models import FINAL, AuditEntry, Entry, Flow, LogView, Machine, Run, Status, Tenant

from ..product import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLI = Machine(name="Oli")


@contextmanager
def working(*, slots: int | None = None, is_hurried: bool = True) -> Iterator[EmbeddedWorker]:
    """A worker that executes what is queued until the block ends; then it is drained, at once if hurried."""
    worker = EmbeddedWorker(slots=slots)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            worker.run()
        except BaseException as problem:
            problems.append(problem)
            raise
        finally:
            connection.close()

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        yield worker
    finally:
        worker.drain()
        if is_hurried:
            worker.drain()
        thread.join(60)
        assert not thread.is_alive(), "the worker does not end"
        assert not problems, problems


def load(tenant: Tenant, steps: list[dict[str, Any]], *, slug: str = "flow", **extra: Any) -> Flow:
    """A flow of these steps; a list as a step is the argv of a command."""
    named = [
        {"id": f"s{place}", "component": "command", "with": {"run": step}} if isinstance(step, list) else step
        for place, step in enumerate(steps, 1)
    ]
    flow, _ = Flow.load(parse(json.dumps({"id": slug, **extra, "steps": named})), tenant=tenant, by=OLI)
    return flow


def program(source: str, **options: Any) -> dict[str, Any]:
    """A command step that runs Python source; options as of a step, `env` among them."""
    step = {"id": "s1", "component": "command", **options}
    step["with"] = {
        "run": [sys.executable, "-I", "-S", "-c", source],
        **({"env": step.pop("env")} if "env" in step else {}),
    }
    return step


def start(flow: Flow, args: dict[str, Any] | None = None, **fields: Any) -> Run:
    return Flow.across_tenants.get(pk=flow.pk).start(args or {}, trigger="manual", by=OLI, **fields)


def wait_until(run: Run, *statuses: str, seconds: float = 20.0) -> Run:
    """The run once it has one of the statuses; without any, once it has ended."""
    wanted = statuses or tuple(FINAL)

    def look() -> bool:
        run.refresh_from_db()
        return run.status in wanted

    wait_for(look, f"{run.uid} {wanted}, last {run.status} {run.error}", seconds=seconds, every=0.01)
    return run


def execute(flow: Flow, args: dict[str, Any] | None = None, *, seconds: float = 20.0, **fields: Any) -> Run:
    """Starts the flow, lets a worker of this test execute it, and returns the ended run."""
    with working():
        return wait_until(start(flow, args, **fields), seconds=seconds)


def entries(run: Run) -> list[Entry]:
    found = list(LogView(run).stream())
    assert [entry.line for entry in found] == list(range(1, len(found) + 1)), "numbered from 1 without gaps"
    run.refresh_from_db()
    assert run.line_count == len(found) or run.is_live
    return found


def printed(run: Run) -> list[str]:
    """The messages that are not the product's own."""
    return [entry.message for entry in entries(run) if not entry.is_system]


def said(run: Run) -> list[str]:
    """The product's own messages."""
    return [entry.message for entry in entries(run) if entry.is_system]


def wait_for_line(run: Run, is_wanted: Callable[[str], bool] = bool, seconds: float = 20.0) -> str:
    """The first printed line that is wanted, as soon as it is in the database."""

    def look() -> list[str]:
        return [entry.message for entry in LogView(run).stream() if not entry.is_system and is_wanted(entry.message)]

    return wait_for(look, "a line", seconds=seconds, every=0.02)[0]


def living(run: Run) -> list[int]:
    """The processes of this claim of the run that are alive."""
    return list(proctree.live_scopes(scope_of(run)))


MAY_FOLLOW = {
    ("", "queued"),
    ("queued", "running"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "stopped"),
    ("queued", "stopped"),
}


def assert_oracles(run: Run) -> None:
    """What holds after whatever happened: legal changes, each once; a whole log; nothing open in an ended run."""
    run.refresh_from_db()
    changes = [
        (entry.from_status, entry.to_status)
        for entry in AuditEntry.across_tenants.filter(run=run).order_by("id")
        if entry.to_status
    ]
    assert set(changes) <= MAY_FOLLOW
    assert [after for _, after in changes[:-1]] == [before for before, _ in changes[1:]]
    assert changes[-1][1] == run.status
    assert sum(after in FINAL for _, after in changes) == run.is_final
    entries(run)
    if run.is_final:
        assert not run.steps.exclude(status__in=FINAL).exists()
        assert (run.worker, run.lease_until) == ("", None)
    assert run.steps_done == run.steps.filter(status=Status.SUCCEEDED).count()
