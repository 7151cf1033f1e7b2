"""What a run's page says first: what happened, why it waits, how its stop goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from ..models import Run, Status

if TYPE_CHECKING:
    from .timeline import StepLine, Timeline

RUNGS = (("requested", "Requested"), ("signal", "Signal sent"), ("grace", "Grace"), ("kill", "Killed"))


@dataclass(frozen=True)
class Answer:
    """title: a sentence, the step named in it apart; note: one line below it."""

    title: str
    step: str = ""
    note: str = ""


@dataclass(frozen=True)
class Rung:
    """state: `done`, `now` or nothing; percent: of the grace that has passed."""

    word: str
    text: str
    state: str
    percent: str = ""


def answer(run: Run, timeline: Timeline) -> Answer:
    """The first sentence of the page."""
    at_work = _at_work(timeline)
    of = f"step {min(timeline.done + 1, timeline.total)} of {timeline.total}" if timeline.total else ""
    if run.is_stopping:
        return Answer(f"{run.flow} is being stopped" + (f", {of}" if of else ""), at_work.slug if at_work else "")
    match run.status:
        case Status.FAILED if run.error_step:
            return Answer("failed", run.error_step)
        case Status.FAILED:
            return Answer(f"{run.flow} failed")
        case Status.QUEUED:
            return Answer(f"{run.flow} waits to start", note=run.waiting_reason)
        case Status.RUNNING:
            text = f"{run.flow} runs" + (f", {of}" if of else "")
            note = "Reported by its own engine." if run.is_external else ""
            return Answer(text, at_work.slug if at_work else "", note)
        case Status.PAUSED:
            return Answer(
                f"{run.flow} waits for approval", at_work.slug if at_work else "", _approval_note(run, at_work)
            )
        case Status.STOPPED:
            return Answer(f"{run.flow} was stopped", note=_stop_note(run))
    return Answer(f"{run.flow} succeeded")


def _at_work(timeline: Timeline) -> StepLine | None:
    return timeline.live[-1] if timeline.live else None


def _approval_note(run: Run, line: StepLine | None) -> str:
    for spec in run.version.definition.get("steps", []):
        if line is not None and spec["id"] == line.slug:
            return str(spec.get("with", {}).get("message", ""))
    return ""


def _stop_note(run: Run) -> str:
    said = f"By {run.stop_requested_by}" if run.stop_requested_by else ""
    if run.stop_reason:
        said += f": {run.stop_reason}" if said else run.stop_reason
    return said


def climb(run: Run) -> list[Rung]:
    """The five rungs of a stop; none where no stop was asked for, or none was needed."""
    if run.stop_requested_at is None or (run.is_final and not run.stop_ladder):
        return []
    reached: dict[str, dict[str, Any]] = {rung.get("stage", ""): rung for rung in run.stop_ladder}
    who = f"by {run.stop_requested_by}" if run.stop_requested_by else ""
    why = f'"{run.stop_reason}"' if run.stop_reason else ""
    is_over = run.is_final
    texts = {
        "requested": ", ".join(filter(None, (who, why, "by force" if run.is_stop_forced else ""))),
        "signal": _signal_text(reached.get("signal")),
        "grace": "",
        "kill": "the whole process group",
    }
    done = ["requested", *(stage for stage, _ in RUNGS if stage in reached)]
    rungs = []
    for place, (stage, word) in enumerate(RUNGS):
        later = any(other in done for other, _ in RUNGS[place + 1 :])
        state = "done" if stage in done else ""
        text, percent = texts[stage], ""
        if stage == "grace":
            state, text, percent = _grace(reached, is_over=is_over)
        if stage == "kill" and "kill" not in reached and is_over:
            text = "was not needed"
        if stage == "signal" and not state and not later and not is_over:
            state, text = "now", "waits for the worker"
        rungs.append(Rung(word, text, state, percent))
    is_confirmed = run.status == Status.STOPPED
    if is_confirmed:
        text = "nothing of it is alive"
    elif is_over:
        text = f"the run {run.status} before it was stopped"
    else:
        text = "when nothing of it is alive"
    rungs.append(Rung("Confirmed", text, "done" if is_confirmed else ""))
    return rungs


def _signal_text(rung: dict[str, Any] | None) -> str:
    count = (rung or {}).get("count")
    return f"SIGTERM to {count} process{'' if count == 1 else 'es'}" if isinstance(count, int) else ""


def _grace(reached: dict[str, dict[str, Any]], *, is_over: bool) -> tuple[str, str, str]:
    """State, text and per cent of the grace between the signal and the kill."""
    rung = reached.get("grace")
    if rung is None:
        return "", "none" if "kill" in reached or is_over else "", ""
    if "kill" in reached:
        return "done", "was over", ""
    if is_over or "confirmed" in reached:
        return "done", "it ended by itself", ""
    seconds, until = rung.get("seconds"), rung.get("until")
    if not isinstance(seconds, int | float) or not isinstance(until, int | float) or seconds <= 0:
        return "now", "killed when it is over", ""
    left = max(0.0, until - timezone.now().timestamp())
    return "now", f"killed in {round(left)} s if it stays", f"{max(0.0, 100 * (1 - left / seconds)):.0f}%"
