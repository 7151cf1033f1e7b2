"""Which values a step was made with: so that who changes one learns which results belong to the old."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runs_dashboard.definition import templates
from runs_dashboard.definition.inputs import variable
from runs_dashboard.definition.plain import iterate_strings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runs_dashboard.definition.schema import StepDefinition


def uses(step: StepDefinition, inputs: Iterable[str] = ()) -> set[str]:
    """The values that a step's settings name, as `inputs.day`, `environment.HOST` or `steps.fetch`.

    inputs: names to look for in a program's own words too, where they stand as INPUT_DAY.
    """
    found = {f"{one.root}.{one.name}" for one in templates.find(step.with_) if one.root != "run"}
    words = {word for _, text, _ in iterate_strings(step.with_) for word in re.findall(r"[A-Z0-9_]{6,}", text)}
    return found | {f"inputs.{name}" for name in inputs if variable(name) in words}


def is_free(step: StepDefinition) -> bool:
    """Whether it is a program, which may read any input without saying so: all are in its environment."""
    return step.component == "command"
