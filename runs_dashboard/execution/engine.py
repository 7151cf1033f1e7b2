"""The engine: walks a claimed run's steps and calls the domain's verbs. It does not know who called it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models

from ..definition.templates import MissingValue, TemplateError
from ..models import LeaseLost, Run, Status, Step, append_system, seal
from ..models.working import ERROR_MAX
from .components import COMPONENTS, Result, StepFailed, Task
from .components.approval import Paused
from .control import Control, Interrupted, RunTimeout, StopAsked
from .step_log import StepLog
from .surroundings import MissingSecret, Surroundings

if TYPE_CHECKING:
    from ..definition.schema import Definition, StepDefinition

logger = logging.getLogger(__name__)

# What a step may report as a metric and the run has a column for (CONTRACT section 1).
METRIC_COLUMNS = {
    "cpu_time": None,  # measured, not reported
    "payload_size": "payload_bytes",
    "operations_sent": "operations_sent",
    "operations_received": "operations_received",
    "total_tokens": "total_tokens",
    "tokens": "total_tokens",
}
COUNTER_MAX = 2**62


class FlowFailed(Exception):
    """A step failed for good: so has the run."""

    def __init__(self, message: str, step: str = "") -> None:
        super().__init__(message)
        self.step = step


def execute(run: Run, control: Control) -> None:
    """Executes a claimed run to its end, its pause, or its loss. Nothing of it is alive on return."""
    token = run.token
    walk = Walk(run, control)
    try:
        walk.go()
        run.finish(Status.SUCCEEDED, token=token, outputs=walk.outputs())
    except Paused:
        return
    except LeaseLost:
        logger.warning("Run %s is not this worker's any more; everything of it was ended.", run.uid)
    except StopAsked:
        _finish(run, Status.STOPPED, token)
    except RunTimeout:
        limit = walk.definition.timeout or 0
        _finish(run, Status.FAILED, token, error=f"The run took longer than its {limit:g} s and was ended.")
    except Interrupted:
        _interrupt(run, walk.definition, token)
    except FlowFailed as failure:
        _finish(
            run,
            Status.FAILED,
            token,
            error=str(failure),
            error_step=failure.step,
            error_line=walk.error_line,
            outputs=walk.outputs(),
        )
    except Exception as error:
        # Our own fault must not leave a run "running" for ever: it is closed, and the traceback is in our log.
        logger.exception("Run %s met a fault of the product.", run.uid)
        _finish(run, Status.FAILED, token, error=f"Fault of the product: {type(error).__name__}: {error}")
    finally:
        walk.surroundings.remove_folder()


def _finish(run: Run, status: Status, token: int, **fields: Any) -> None:
    try:
        run.finish(status, token=token, **fields)
    except LeaseLost:
        logger.warning("Run %s was closed by somebody else before its worker could.", run.uid)


def _interrupt(run: Run, definition: Definition, token: int) -> None:
    reason = "Interrupted: the worker was shut down and its grace was over."
    try:
        append_system(run, reason, level=3)
        if definition.on_worker_lost == "queue":
            run.close_steps(Status.FAILED, error=reason)
            run.give_back(token=token, reason=reason)
        else:
            run.finish(Status.FAILED, token=token, error=reason)
    except LeaseLost:
        logger.warning("Run %s was closed by somebody else before its worker could.", run.uid)


class Walk:
    """One way through a run's steps, from the first that has no result yet."""

    def __init__(self, run: Run, control: Control) -> None:
        self.run, self.control = run, control
        self.definition = run.version.parsed
        self.surroundings = Surroundings(run, self.definition)
        self.error_line: int | None = None
        self.deadline: float | None = None
        if self.definition.timeout is not None:
            self.deadline = time.monotonic() + self.definition.timeout - run.ran_ms / 1000

    def go(self) -> None:
        """Raises FlowFailed, Paused, and whatever ends a run from outside."""
        try:
            self.surroundings.check_secrets()
        except MissingSecret as error:
            raise FlowFailed(str(error)) from None
        if (warning := self.surroundings.warn_of_short_secrets()) and not self.run.line_count:
            append_system(self.run, warning)
        done = set(self.run.steps.filter(status=Status.SUCCEEDED).values_list("slug", flat=True))
        for position, step in enumerate(self.definition.steps):
            if step.id not in done:
                self._do(step, position)

    def outputs(self) -> dict[str, Any]:
        """The run's outputs: those of each step that has any, under its id."""
        steps = self.run.steps.filter(status=Status.SUCCEEDED).order_by("position", "attempt")
        return {slug: outputs for slug, outputs in steps.values_list("slug", "outputs") if outputs}

    def _do(self, definition: StepDefinition, position: int) -> None:
        """Tries a step until it succeeds or its attempts are used up."""
        known = self.run.steps.filter(slug=definition.id).aggregate(last=models.Max("attempt"))["last"] or 0
        tried = 0
        while True:
            self.control.check()
            tried += 1
            failure = self._try(definition, position, known + tried)
            if failure is None:
                return
            if tried >= definition.retry.attempts:
                raise FlowFailed(failure, definition.id)
            self._wait(definition.retry.delay(tried))

    def _wait(self, seconds: float) -> None:
        left = None if self.deadline is None else self.deadline - time.monotonic()
        self.control.wait(seconds if left is None else min(seconds, max(left, 0)))
        if left is not None and left <= seconds:
            raise RunTimeout

    def _try(self, definition: StepDefinition, position: int, attempt: int) -> str | None:
        """One attempt. Returns why it failed, or None."""
        step = Step.begin(self.run, definition, position=position, attempt=attempt)
        limit = (self.definition.log or {}).get("max_bytes", settings.STEP_LOG_MAX_BYTES)
        log = StepLog(self.run, step, redactor=self.surroundings.redactor, max_bytes=limit)
        task = Task(self.run, step, definition, self.surroundings, log, self.control, self.deadline)
        try:
            result = COMPONENTS[definition.component](task)
            log.close()
        except StepFailed as failure:
            return self._fail(task, str(failure), failure)
        except (MissingValue, TemplateError) as error:
            return self._fail(task, str(error), None)
        except (StopAsked, Interrupted, RunTimeout) as ending:
            log.close()
            status = Status.STOPPED if isinstance(ending, StopAsked) else Status.FAILED
            self._end(task, status, error=_describe(ending))
            raise
        self._end(task, Status.SUCCEEDED, result)
        return None

    def _fail(self, task: Task, message: str, failure: StepFailed | None) -> str:
        task.log.close()
        message = self.surroundings.redactor.redact(message)[:ERROR_MAX]
        result = Result(outputs=failure.outputs, exit_code=failure.exit_code) if failure else Result()
        self._end(task, Status.FAILED, result, error=message)
        self.error_line = task.log.error_line or self.error_line
        return message

    def _end(self, task: Task, status: Status, result: Result | None = None, *, error: str = "") -> None:
        result = result or Result()
        self._account(task)
        task.step.end(
            status,
            error=error,
            outputs=result.outputs,
            exit_code=result.exit_code,
            cpu_ms=round(task.cpu_seconds * 1000),
            **task.log.counts(),
        )
        if task.log.line_count:
            seal(self.run, task.step)

    def _account(self, task: Task) -> None:
        """Adds what the attempt used and reported to the run, if the run is still ours."""
        changes: dict[str, Any] = {}
        if cpu_ms := round(task.cpu_seconds * 1000):
            changes["cpu_ms"] = models.F("cpu_ms") + cpu_ms
        sizes = {"payload_bytes": float(task.payload_bytes)} if task.payload_bytes else {}
        others: dict[str, float] = {}
        for name, value in task.metrics.items():
            column = METRIC_COLUMNS.get(name)
            if column is not None:
                sizes[column] = sizes.get(column, 0.0) + value
            else:
                others[name] = value
        for column, value in sizes.items():
            changes[column] = models.F(column) + int(min(max(value, 0), COUNTER_MAX))
        if others:
            self.run.metrics = self.run.metrics | others
            changes["metrics"] = self.run.metrics
        if changes:
            Run.across_tenants.filter(pk=self.run.pk, token=task.log.token).update(**changes)
        if task.tracked:
            self.run.track(task.tracked)


def _describe(ending: Exception) -> str:
    if isinstance(ending, StopAsked):
        return "Stopped."
    if isinstance(ending, RunTimeout):
        return "The run's time was over."
    return "Interrupted: the worker was shut down."
