"""What a component is given, and what it gives back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...text.intake import clean
from ..control import RunTimeout
from ..patience import patiently

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...definition.schema import StepDefinition
    from ...models import Run, Step
    from ..control import Control
    from ..step_log import StepLog
    from ..surroundings import Surroundings


class StepFailed(Exception):
    """The attempt failed; the message says why. exit_code: of its program, where there is one."""

    def __init__(self, message: str, *, exit_code: int | None = None, outputs: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.outputs = outputs or {}


@dataclass
class Result:
    """What an attempt gave."""

    outputs: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


@dataclass
class Task:
    """One attempt of one step, with all that it may use."""

    run: Run
    step: Step
    definition: StepDefinition
    surroundings: Surroundings
    log: StepLog
    control: Control
    run_deadline: float | None  # by the monotonic clock
    cpu_seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    tracked: list[tuple[str, str]] = field(default_factory=list)
    payload_bytes: int = 0

    @property
    def options(self) -> dict[str, Any]:
        return self.definition.with_

    def time_left(self, default: float | None = None) -> float | None:
        """Seconds that the attempt has: its own time, but no more than the run's. Raises RunTimeout."""
        left = self.definition.timeout if self.definition.timeout is not None else default
        if self.run_deadline is not None:
            of_run = self.run_deadline - time.monotonic()
            if of_run <= 0:
                raise RunTimeout
            left = of_run if left is None else min(left, of_run)
        return left

    def is_run_over(self) -> bool:
        return self.run_deadline is not None and time.monotonic() >= self.run_deadline

    def mask(self, text: str) -> str:
        """Any text, clean and without secrets: what may be stored."""
        return self.surroundings.redactor.redact(clean(text))

    def count(self, metric: str, amount: float) -> None:
        self.metrics[metric] = self.metrics.get(metric, 0) + amount

    def store(self, act: Callable[[], object]) -> None:
        """Writes something of the run in a transaction in which the worker's claim stands. Raises LeaseLost."""

        def write() -> None:
            with self.run.held(self.log.token):
                act()

        patiently(write)
