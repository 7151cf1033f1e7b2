"""`flow`: starts another flow and waits for it: a sub-run."""

from __future__ import annotations

import time

from ...definition.inputs import InputError
from ...definition.templates import fill_tree
from ...models import FINAL, WORKER, Flow, FlowDisabled, Machine, Run, Status, StatusConflict
from ..control import RunTimeout, StopAsked
from ..patience import let_go, patiently
from .task import Result, StepFailed, Task

DEPTH_MAX = 10
LOOK_SECONDS = 0.1


def perform(task: Task) -> Result:
    """Starts the sub-run and waits for its end. Raises StepFailed, StopAsked, RunTimeout, LeaseLost."""
    left = task.time_left()
    deadline = None if left is None else time.monotonic() + left
    sub_run = _start(task)
    task.log.write(f"Started {sub_run.flow} as sub-run {sub_run.uid}")
    task.control.give_slot()
    try:
        status = _wait(task, sub_run, deadline)
    finally:
        task.control.take_slot()
    patiently(sub_run.refresh_from_db)
    outputs = {"run_id": sub_run.uid, "status": str(status), **sub_run.outputs}
    if status == Status.SUCCEEDED:
        return Result(outputs=outputs)
    if status == Status.STOPPED and patiently(lambda: _is_stop_asked(task.run)):
        raise StopAsked  # a stop of the parent ended the sub-run before the parent's own thread heard of it
    reason = f": {sub_run.error}" if sub_run.error else ""
    raise StepFailed(f"Sub-run {sub_run.uid} of {sub_run.flow.slug} {status}{reason}", outputs=outputs)


def _start(task: Task) -> Run:
    slug = task.options["flow"]
    if task.run.depth >= DEPTH_MAX:
        raise StepFailed(f"Sub-runs are nested {DEPTH_MAX} deep: a flow seems to start itself.")
    flow = Flow.objects.of(task.run.tenant_id).filter(slug=slug).select_related("latest").first()
    if flow is None:
        raise StepFailed(f"There is no flow {slug!r}.")
    if flow.concurrency is not None and _count_above(task.run, flow) >= flow.concurrency:
        raise StepFailed(f"{slug} would wait for itself: its concurrency is {flow.concurrency}.")
    args = fill_tree(task.options.get("args", {}), task.surroundings.context())
    chosen = task.options.get("environment") or ""
    inherited = {} if chosen or flow.definition.environment else {"environment_version": task.run.environment_version}
    started: list[Run] = []

    def start() -> None:
        started[:] = [
            flow.start(
                args,
                trigger="flow",
                by=Machine(name=f"run {task.run.uid}"),
                environment=chosen,
                parent_run=task.run,
                parent_step=task.definition.id,
                end_user=task.run.end_user,
                **inherited,
            )
        ]

    try:
        task.store(start)
    except (InputError, FlowDisabled) as error:
        raise StepFailed(f"{slug} could not be started: {error}") from None
    return started[0]


def _count_above(run: Run, flow: Flow) -> int:
    """How many of the runs that would wait for a new run of the flow are runs of the same flow."""
    count, above = 0, run
    while True:
        count += above.flow_id == flow.pk
        if above.parent_run is None:
            return count
        above = above.parent_run


def _wait(task: Task, sub_run: Run, deadline: float | None) -> str:
    """Until the sub-run has ended. What ends the parent ends the sub-run first: nothing of a run outlives it."""
    is_told = is_late = False
    while True:
        status = patiently(lambda: _read_status(sub_run))
        if status is None:
            raise StepFailed(f"Sub-run {sub_run.uid} was deleted.")
        if status in FINAL:
            break
        if not is_told and task.control.read() is not None:
            is_told = True
            _stop(sub_run, "its parent was stopped")
        elif not is_late and deadline is not None and time.monotonic() >= deadline:
            is_late = True
            _stop(sub_run, "its parent's time was over")
        let_go()
        time.sleep(LOOK_SECONDS)
    if is_told:
        task.control.check()
    if is_late:
        if task.is_run_over():
            raise RunTimeout
        raise StepFailed(f"Sub-run {sub_run.uid} took longer than the step's {task.definition.timeout:g} s.")
    return status


def _read_status(run: Run) -> str | None:
    return Run.across_tenants.filter(pk=run.pk).values_list("status", flat=True).first()


def _is_stop_asked(run: Run) -> bool:
    return Run.across_tenants.filter(pk=run.pk, stop_requested_at__isnull=False).exists()


def _stop(sub_run: Run, reason: str) -> None:
    try:
        patiently(lambda: sub_run.request_stop(by=WORKER, reason=reason))
    except StatusConflict:
        return  # it ended by itself meanwhile
