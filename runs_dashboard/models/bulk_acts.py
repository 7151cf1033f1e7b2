"""What a bulk action does to one run, and what comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..definition.inputs import InputError, validate
from ..text.clean import clean_json
from .bulk_result import Outcome

if TYPE_CHECKING:
    from .audit import Actor
    from .bulk_result import Outcomes
    from .run import Run

MOST_CHANGES = 65_536  # characters of changed inputs, as JSON


@dataclass(frozen=True)
class BulkRetry:
    """How the runs are retried. start_at: `start`, or `failed` where that is possible; is_newest: in their flow's
    newest version, is_newest_environment: in their environment's; changes: inputs that all of them get."""

    start_at: str = "failed"
    is_newest: bool = False
    is_newest_environment: bool = False
    changes: dict[str, Any] = field(default_factory=dict)

    def check(self) -> BulkRetry:
        """The same with changes as they may be kept. What each run's flow thinks of them it says when it comes to it.

        Raises InputError, and the ValueErrors of `clean_json`.
        """
        changes = validate({}, clean_json(self.changes))
        if len(json.dumps(changes)) > MOST_CHANGES:
            raise InputError([("", f"longer than {MOST_CHANGES:,} characters: every retry would keep all of it")])
        return replace(self, changes=changes)


def retry(run: Run, by: Actor, how: BulkRetry) -> Outcomes:
    """Raises StatusConflict, FlowDisabled, InputError."""
    if run.is_retried:
        return Outcome.REFUSED, "It was retried already.", None
    is_part = how.start_at == "failed" and run.status != "succeeded"
    is_part = is_part and bool(run.plan_retry(start_at="failed", is_newest=how.is_newest).kept)
    new = run.retry(
        by=by,
        start_at="failed" if is_part else "start",
        args={**run.args, **how.changes} if how.changes else None,
        is_newest=how.is_newest,
        is_newest_environment=how.is_newest_environment,
    )
    return Outcome.DONE, "", new


def stop(run: Run, by: Actor, how: BulkRetry) -> Outcomes:
    """Raises StatusConflict."""
    if run.is_stopping:
        return Outcome.SKIPPED, "Its stop was asked for already.", None
    run.request_stop(by=by, reason="stopped with others from the list")
    return Outcome.DONE, "", None


def review(run: Run, by: Actor, how: BulkRetry) -> Outcomes:
    """Raises StatusConflict."""
    if run.reviewed_at is not None:
        return Outcome.SKIPPED, "It was reviewed already.", None
    run.review(by=by)
    return Outcome.DONE, "", None


ACTS = {"retry": retry, "stop": stop, "review": review}
