"""A run beside another one: what differs, the differences first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ...models import Role, Status
from ...text.differences import find_differences
from ..access import find_run, needs, read_text
from ..comparing import LINES_LOOKED, pair_steps, part_logs, suggest
from ..values import NAMES, SHOWN_STEPS, read_outputs
from ..words import say_duration

if TYPE_CHECKING:
    from django.http import HttpResponse

    from ...models import Run
    from ..access import MemberRequest

UID_LENGTH = 255


@require_GET
@needs(Role.VIEWER)
def run_compare(request: MemberRequest, uid: str) -> HttpResponse:
    """`with`: the other run's id, or its page's address; without it the most telling of those that are offered."""
    run = find_run(request, uid)
    wanted = read_text(request.GET, "with", 2_000).strip()
    if "/runs/" in wanted:
        wanted = wanted.split("/runs/", 1)[1].split("/", 1)[0]
    choices = suggest(run)
    if not wanted and choices:
        wanted = next((one.run.uid for one in choices if one.run.status == Status.SUCCEEDED), choices[0].run.uid)
    context: dict[str, Any] = {"run": run, "choices": choices, "wanted": wanted[:UID_LENGTH]}
    status = 200
    if wanted == run.uid:
        context["problem"] = "That is this run itself: there is nothing to compare."
    elif wanted:
        try:
            other = find_run(request, wanted[:UID_LENGTH])
        except Http404:
            context["problem"], status = "There is no such run, or none any more.", 404
        else:
            context |= _compare(other, run)
    return render(request, "runs/compare.html", context, status=status)


def _compare(old: Run, new: Run) -> dict[str, Any]:
    """What the page shows of two runs. The run that is looked at stands at the right, as the newer one."""
    # What an engine reports as outputs is the run's, of no step.
    name, infix = ("outputs", "") if old.is_external or new.is_external else NAMES["outputs"]
    log = part_logs(old, new)
    outputs = [read_outputs(run, most=SHOWN_STEPS) for run in (old, new)]
    return {
        "other": old,
        "both": [old, new],
        "facts": _facts(old, new),
        "inputs": find_differences(old.args, new.args, name="inputs"),
        "outputs": find_differences(outputs[0], outputs[1], name=name, infix=infix),
        "steps": pair_steps(old, new),
        "log": log,
        "sides": [{"run": old, "lines": log.old, "kind": "del"}, {"run": new, "lines": log.new, "kind": "ins"}],
        "looked": LINES_LOOKED,
    }


def _facts(old: Run, new: Run) -> list[tuple[str, str, str, bool]]:
    """Name, both texts, whether they differ: those that do first."""

    def environment(run: Run) -> str:
        version = run.environment_version
        return f"{version.environment.name} v{version.number}" if version else "none"

    def tell(run: Run) -> list[tuple[str, str]]:
        usual = f" (usually {say_duration(run.flow.usual_ms)})" if run.flow.usual_ms else ""
        waited = (run.started_at - run.queued_at).total_seconds() * 1000 if run.started_at else None
        return [
            ("Flow", str(run.flow)),
            ("Version", f"v{run.version.number}"),
            ("Trigger", run.get_trigger_display()),
            ("Started by", run.created_by.display_name if run.created_by else "–"),
            ("Environment", environment(run)),
            ("Took", say_duration(run.duration_ms) + usual),
            ("Waited", say_duration(waited)),
            ("Try", str(run.attempt)),
            ("Lines", f"{run.line_count:,}"),
            ("Warnings", f"{run.warning_count:,}"),
            ("Errors", f"{run.error_count:,}"),
        ]

    rows = [(name, one, two, one != two) for (name, one), (_, two) in zip(tell(old), tell(new), strict=True)]
    return sorted(rows, key=lambda row: not row[3])
