"""What went into a run and what came out of it, as values that a tree can be made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..models import Status

if TYPE_CHECKING:
    from ..models import Payload, Run

# A part of the run -> what the path of a value in it begins with, and what stands behind its first key: the outputs
# are named as a flow's templates name them.
NAMES = {
    "inputs": ("inputs", ""),
    "outputs": ("steps", ".outputs"),
    "metrics": ("metrics", ""),
    "llms": ("llms", ""),
    "feedback": ("feedback", ""),
}
SHOWN_STEPS = 100  # steps whose outputs the run's page reads


def read_values(run: Run, part: str) -> Any:
    """The whole value of a part, one of NAMES."""
    if part == "outputs":
        return read_outputs(run)
    return read_inputs(run) if part == "inputs" else getattr(run, part)


def read_inputs(run: Run) -> dict[str, Any]:
    """The args, those that the flow declares first and in its order: PostgreSQL keeps the shorter names first."""
    declared = run.version.definition.get("inputs") or {}
    return {**{name: run.args[name] for name in declared if name in run.args}, **run.args}


def read_outputs(run: Run, *, most: int | None = None) -> dict[str, Any]:
    """The outputs by step. most: of so many steps at most, where the steps themselves have to be asked."""
    if run.outputs and not run.is_external:
        return run.outputs  # written when it ended
    of_steps = run.steps.filter(status=Status.SUCCEEDED).exclude(outputs={}).values_list("slug", "outputs")
    return {**dict(of_steps[:most]), **(run.outputs if run.is_external else {})}


def read_payload(payload: Payload) -> tuple[bool, Any]:
    """Whether a payload's body is JSON, and the value."""
    text = payload.body.strip()
    if payload.is_truncated or text[:1] not in ("{", "["):
        return False, None
    try:
        return True, json.loads(text)
    except (ValueError, RecursionError):
        return False, None
