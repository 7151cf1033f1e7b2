"""The components: what a step can be. One file each; a component is a function from a task to its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import approval, command, http, sub_flow
from .task import Result, StepFailed, Task

if TYPE_CHECKING:
    from collections.abc import Callable

COMPONENTS: dict[str, Callable[[Task], Result]] = {
    "command": command.perform,
    "http": http.perform,
    "approval": approval.perform,
    "flow": sub_flow.perform,
}

__all__ = ["COMPONENTS", "Result", "StepFailed", "Task"]
