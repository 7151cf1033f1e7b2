"""The engine: walks a claimed run's steps and calls the domain's verbs. It does not know who called it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from ..definition.templates import MissingValue, TemplateError
from ..models import LeaseLost, Run, Status, Step, append, seal
from ..models.working import ERROR_MAX
from ..text.intake import Line
from .components import COMPONENTS, Result, StepFailed, Task
from .components.approval import Paused
from .control import Control, Interrupted, RunTimeout, StopAsked
from .patience import patiently
from .step_log import StepLog
from .surroundings import MissingSecret, Surroundings

if TYPE_CHECKING:
    from ..definition.schema import StepDefinition

logger = logging.getLogger(__name__)

# What a step may report as a metric and the run has a column for (CONTRACT section 1).
METRIC_COLUMNS = {
    "payload_size": "payload_bytes",
    "operations_sent": "operations_sent",
    "operations_received": "operations_received",
    "total_tokens": "total_tokens",
    "tokens": "total_tokens",
}
COUNTER_MAX = 2**48  # of what one attempt may add: thousands of them still fit the column


class FlowFailed(Exception):
    """A step failed for good: so has the run."""

    def __init__(self, message: str, step: str = "") -> None:
        super().__init__(message)
        self.step = step


def execute(run: Run, control: Control) -> None:
    """Executes a claimed run to its end, its pause, or its loss. Nothing of it is alive on return.

    Raises DatabaseError when the database stays away: the lease then says what becomes of the run.
    """
    walk = Walk(run, control)
    try:
        walk.go()
    except Paused:
        return
    except LeaseLost:
        logger.warning("Run %s is not this worker's any more; everything of it was ended.", run.uid)
    except StopAsked:
        walk.finish(Status.STOPPED)
    except RunTimeout:
        walk.finish(Status.FAILED, error=f"The run took longer than its {walk.timeout:g} s and was ended.")
    except Interrupted:
        walk.interrupt()
    except FlowFailed as failure:
        walk.finish(Status.FAILED, error=str(failure), error_step=failure.step, error_line=walk.error_line)
    except Exception as error:
        # Our own fault must not leave a run "running" for ever: it is closed, and the traceback is in our log.
        logger.exception("Run %s met a fault of the product.", run.uid)
        walk.finish(Status.FAILED, error=f"Fault of the product: {type(error).__name__}: {error}")
    finally:
        walk.tidy()


class Walk:
    """One way through a run's steps, from the first that has no result yet."""

    def __init__(self, run: Run, control: Control) -> None:
        self.run, self.control, self.token = run, control, run.token
        self.timeout = 0.0
        self.error_line: int | None = None
        self.deadline: float | None = None
        self.log_room = settings.LOG_MAX_BYTES - run.log_bytes
        self.attempts: dict[str, int] = {}  # those that are there already
        self.surroundings: Surroundings | None = None

    def go(self) -> None:
        """Raises FlowFailed, Paused, and whatever ends a run from outside. On return the run has succeeded."""
        self._prepare()
        left = [(place, step) for place, step in enumerate(self.definition.steps) if step.id not in self.known.outputs]
        for place, step in left:
            self._do(step, place, is_last=step is left[-1][1])
        if not left:
            self.finish(Status.SUCCEEDED)

    @property
    def known(self) -> Surroundings:
        assert self.surroundings is not None  # noqa: S101  (made before the first step)
        return self.surroundings

    def _prepare(self) -> None:
        self.definition = patiently(lambda: self.run.version).parsed
        if self.definition.timeout is not None:
            self.timeout = self.definition.timeout
            self.deadline = time.monotonic() + self.timeout - self.run.ran_ms / 1000
        self.surroundings = patiently(lambda: Surroundings(self.run, self.definition))
        try:
            self.surroundings.check_secrets()
        except MissingSecret as error:
            raise FlowFailed(str(error)) from None
        if (warning := self.surroundings.warn_of_short_secrets()) and not self.run.line_count:
            self._say(warning, level=2)
        if self.run.token == 1 and not self.run.steps_done:
            return  # the first claim of a run that keeps nothing: it has no steps yet
        steps = self.run.steps.order_by("position", "attempt").values_list("slug", "attempt", "status", "outputs")
        for slug, attempt, status, outputs in patiently(lambda: list(steps)):
            self.attempts[slug] = attempt
            if status == Status.SUCCEEDED:
                self.surroundings.outputs[slug] = outputs

    def outputs(self) -> dict[str, Any]:
        """The run's outputs: those of each step that has any, under its id."""
        known = self.surroundings.outputs if self.surroundings is not None else {}
        return {slug: outputs for slug, outputs in known.items() if outputs}

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self, status: Status, **fields: Any) -> None:
        """The run's end, unless somebody else has closed it."""
        try:
            patiently(lambda: self.run.finish(status, token=self.token, outputs=self.outputs(), **fields))
        except LeaseLost:
            logger.warning("Run %s was closed by somebody else before its worker could.", self.run.uid)

    def interrupt(self) -> None:
        """The worker ends before the run does: the flow says whether it is tried again elsewhere."""
        reason = "Interrupted: the worker was shut down and its grace was over."
        try:
            self._say(reason, level=3)
            if self.definition.on_worker_lost == "queue":
                patiently(lambda: self._give_back(reason))
                return
        except LeaseLost:
            logger.warning("Run %s was closed by somebody else before its worker could.", self.run.uid)
            return
        except StopAsked:
            self.finish(Status.STOPPED)
            return
        self.finish(Status.FAILED, error=reason)

    def _give_back(self, reason: str) -> None:
        with transaction.atomic():
            self.run.give_back(token=self.token, reason=reason)
            if self.run.stop_requested_at is not None:
                raise StopAsked  # nobody would pass it on to a waiting run
            self.run.close_steps(Status.FAILED, error=reason)

    def tidy(self) -> None:
        """Removes the run's folder."""
        if self.surroundings is not None:
            try:
                self.surroundings.remove_folder()
            except OSError as error:
                logger.warning("The folder of run %s cannot be removed: %s", self.run.uid, error)

    def _say(self, message: str, *, level: int) -> None:
        line = Line(message, level, None, timezone.now().timestamp(), is_system=True)
        patiently(lambda: append(self.run, [line], token=self.token))

    # --- a step -----------------------------------------------------------------------------------------------------

    def _do(self, definition: StepDefinition, position: int, *, is_last: bool) -> None:
        """Tries a step until it succeeds or its attempts are used up."""
        known = self.attempts.get(definition.id, 0)
        tried = 0
        while True:
            self.control.check()
            tried += 1
            failure = self._try(definition, position, known + tried, is_last=is_last)
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

    def _try(self, definition: StepDefinition, position: int, attempt: int, *, is_last: bool) -> str | None:
        """One attempt. Returns why it failed, or None."""
        task = self._begin(definition, position, attempt)
        try:
            result = COMPONENTS[definition.component](task)
            task.log.close()
        except StepFailed as failure:
            return self._fail(task, str(failure), failure)
        except (MissingValue, TemplateError) as error:
            return self._fail(task, str(error), None)
        except (StopAsked, Interrupted, RunTimeout) as ending:
            task.log.close()
            status = Status.STOPPED if isinstance(ending, StopAsked) else Status.FAILED
            self._end(task, status, error=_describe(ending))
            raise
        self._end(task, Status.SUCCEEDED, result, is_last=is_last)
        return None

    def _begin(self, definition: StepDefinition, position: int, attempt: int) -> Task:
        def begin() -> Step:
            with self.run.held(self.token):
                return Step.begin(self.run, definition, position=position, attempt=attempt)

        step = patiently(begin)
        limit = (self.definition.log or {}).get("max_bytes", settings.STEP_LOG_MAX_BYTES)
        log = StepLog(
            self.run,
            step,
            self.control,
            redactor=self.known.redactor,
            max_bytes=max(0, min(limit, self.log_room)),
            max_line=settings.LOG_LINE_MAX,
        )
        return Task(self.run, step, definition, self.known, log, self.control, self.deadline)

    def _fail(self, task: Task, message: str, failure: StepFailed | None) -> str:
        task.log.close()
        message = task.mask(message)[:ERROR_MAX]
        result = Result(outputs=failure.outputs, exit_code=failure.exit_code) if failure else Result()
        self._end(task, Status.FAILED, result, error=message)
        self.error_line = task.log.error_line or self.error_line
        return message

    def _end(
        self, task: Task, status: Status, result: Result | None = None, *, error: str = "", is_last: bool = False
    ) -> None:
        """Ends the attempt; with the last step the run, in the same transaction."""
        result = result or Result()
        self.log_room -= task.log.taken_bytes
        if task.log.line_count:
            patiently(lambda: seal(self.run, task.step))
        if status == Status.SUCCEEDED:
            self.known.outputs[task.definition.id] = result.outputs

        def write() -> None:
            with transaction.atomic():
                task.step.end(
                    status,
                    error=error,
                    outputs=result.outputs,
                    exit_code=result.exit_code,
                    cpu_ms=round(task.cpu_seconds * 1000),
                    token=self.token,
                    of_run=self._account(task),
                    **task.log.counts(),
                )
                if task.tracked:
                    self.run.track(task.tracked)
                if is_last:
                    self.run.finish(Status.SUCCEEDED, token=self.token, outputs=self.outputs())

        patiently(write)

    def _account(self, task: Task) -> dict[str, Any]:
        """What the attempt used and reported, as changes of the run's columns."""
        sizes = {"cpu_ms": float(round(task.cpu_seconds * 1000)), "payload_bytes": float(task.payload_bytes)}
        others: dict[str, float] = {}
        for name, value in task.metrics.items():
            column = METRIC_COLUMNS.get(name)
            if column is None:
                others[name] = value
            else:
                sizes[column] = sizes.get(column, 0.0) + value
        changes: dict[str, Any] = {
            column: models.F(column) + int(min(max(value, 0), COUNTER_MAX))
            for column, value in sizes.items()
            if value >= 1
        }
        if others:
            self.run.metrics = changes["metrics"] = self.run.metrics | others
        return changes


def _describe(ending: Exception) -> str:
    if isinstance(ending, StopAsked):
        return "Stopped."
    if isinstance(ending, RunTimeout):
        return "The run's time was over."
    return "Interrupted: the worker was shut down."
