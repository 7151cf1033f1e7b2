"""The audit trail in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from ..models import AuditEntry

ACTS = {
    "run.start": ("start", "started it"),
    "run.claim": ("s-running", "took it up"),
    "run.give_back": ("s-queued", "gave it back to the queue"),
    "run.retry": ("retry", "retried it"),
    "run.retry_call": ("hook", "called its engine"),
    "run.stop": ("stop", "asked for a stop"),
    "run.resume": ("start", "resumed it"),
    "run.review": ("review", "reviewed it"),
    "run.download": ("download", "asked for a download"),
    "run.fetch": ("download", "took the file"),
    "run.pin": ("pin", "pinned it"),
    "run.unpin": ("pin", "unpinned it"),
    "run.delete": ("x", "deleted it"),
    "run.paused": ("s-paused", "paused it for approval"),
    "run.running": ("s-running", "began"),
    "run.queued": ("s-queued", "queued it"),
    "run.succeeded": ("s-succeeded", "saw it succeed"),
    "run.failed": ("s-failed", "saw it fail"),
    "run.stopped": ("s-stopped", "saw it stop"),
    "run.report": ("api", "reported it"),
    "note.write": ("note", "wrote a note"),
    "note.edit": ("note", "changed a note"),
    "note.delete": ("note", "deleted a note"),
    "run.worker_lost": ("s-warning", "closed it: its worker was lost"),
}


@dataclass(frozen=True)
class Act:
    """One line of the trail. state: the status it led to, for the colour."""

    at: datetime
    who: str
    text: str
    picture: str
    state: str


def tell(entry: AuditEntry) -> Act:
    """What somebody, or the machine, did."""
    picture, text = ACTS.get(entry.action, ("more", entry.action.replace(".", " ").replace("_", " ")))
    detail = entry.detail
    if entry.action == "run.stop":
        if detail.get("is_forced"):
            text = "forced its stop"
        if detail.get("reason"):
            text += f": {detail['reason']}"
    elif entry.action == "run.retry" and detail.get("new_run"):
        text = f"retried it as {str(detail['new_run'])[-8:]}{_changes(detail)}"
    elif entry.action == "run.retry_call" and detail.get("outcome"):
        text += f": {detail['outcome']}"
    elif entry.action in ("run.download", "run.fetch") and detail.get("format"):
        text += f", {detail['format']}"
    elif entry.action in ("run.give_back", "run.worker_lost") and detail.get("reason"):
        text += f" ({detail['reason']})"
    elif entry.action == "run.claim" and detail.get("worker"):
        text += f" ({detail['worker']})"
    name = entry.actor_name or (entry.actor.display_name if entry.actor else "the product")
    state = entry.to_status if entry.to_status in ("failed", "stopped", "paused", "succeeded") else ""
    return Act(entry.at, name[:1].upper() + name[1:], text, picture, state)


def _changes(detail: dict[str, Any]) -> str:
    """What a retry has otherwise than the run that it retries."""
    changed = [f"outputs of {', '.join(names)}"] if (names := detail.get("changed_outputs")) else []
    if names := detail.get("changed_inputs"):
        changed.insert(0, f"inputs {', '.join(names)}")
    said = f" with changed {' and '.join(changed)}" if changed else ""
    return f"{said}, on v{detail['version']}" if detail.get("version") else said
