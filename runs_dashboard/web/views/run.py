"""One run: its page, and the part that changes while it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import F
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from ...models import Download, Role, Run
from ..access import find_run, needs, read_text
from ..answer import answer, climb
from ..download_filters import NAMES, read_filters, say_filters
from ..error_kind import find_resolved, find_resolver, tell_kind
from ..notes import read_notes
from ..related import find_related
from ..storage_words import is_bounded
from ..timeline import draw
from ..trail import tell
from ..usual import usual_steps
from ..values import SHOWN_STEPS, read_inputs, read_outputs
from .log import log_context

if TYPE_CHECKING:
    from django.db.models import Manager
    from django.http import HttpResponse

    from ..access import MemberRequest

RELATED_LIMIT = 50  # retries, sub-runs, payloads and trail entries that the page shows
UNSHOWN = ("args", "outputs", "metrics", "llms", "feedback", "stop_ladder", "error")  # of other runs


@require_GET
@needs(Role.VIEWER)
def run_detail(request: MemberRequest, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    about = _about(request, run)
    about |= log_context(request, run, about["steps"]) | {"notes": read_notes(run, request.membership)}
    return render(request, "runs/detail.html", about)


@require_GET
@needs(Role.VIEWER)
def run_status(request: MemberRequest, uid: str) -> HttpResponse:
    """The answer, the steps and the side column of an open page, swapped in place; asks again while the run lives."""
    return render(request, "runs/_status.html", _about(request, find_run(request, uid)))


@require_GET
@needs(Role.VIEWER)
def run_related(request: MemberRequest, uid: str) -> HttpResponse:
    """The other runs with the same business keys: asked for once by an open page, after it is shown."""
    run = find_run(request, uid)
    return render(request, "runs/_related.html", {"pairs": find_related(run, _tracked(run))})


def _about(request: MemberRequest, run: Run) -> dict[str, Any]:
    steps = list(run.steps.defer("outputs").annotate(kept_uid=F("kept_from__run__uid")))
    timeline = draw(
        run,
        steps,
        part=read_text(request.GET, "steps", 20),
        name=read_text(request.GET, "step_name", 200),
        usual=usual_steps(run),
    )
    # By the run alone: asked for the tenant too, SQLite walks over the tenant's whole trail, newest first.
    trail = run.audit.select_related("actor").order_by("-id")[:RELATED_LIMIT]
    return {
        "run": run,
        "answer": answer(run, timeline),
        "ladder": climb(run),
        "kind": tell_kind(run),
        "resolved_by": find_resolver(run),
        "resolves": find_resolved(run),
        "steps": steps,
        "timeline": timeline,
        "inputs": read_inputs(run),
        "outputs": read_outputs(run, most=SHOWN_STEPS),
        "tracked": _tracked(run),
        "tags": list(run.tags.order_by("key").values_list("key", "value")[:RELATED_LIMIT]),
        "payloads": list(
            run.payloads.defer("body", "headers").select_related("step").order_by("line", "id")[:RELATED_LIMIT]
        ),
        # Two questions, each answered by its own index; asked as one, every run of the tenant is looked at.
        "retries": _related(run.retries) if run.is_retried else [],
        "sub_runs": _related(run.sub_runs) if _may_have_sub_runs(run) else [],
        "trail": [tell(entry) for entry in trail],
        "formats": [choice for choice in Download.Format.choices if choice[0] != Download.Format.BUNDLE],
        "shown": say_filters(read_filters(request.GET)),
        "shown_query": [(name, value) for name in NAMES if (value := request.GET.get(name))],
        "is_bounded": is_bounded(run.flow),
        "as_of": timezone.now(),
    }


def _tracked(run: Run) -> list[tuple[str, str]]:
    return list(run.tracked_data.order_by("id").values_list("key", "value")[:RELATED_LIMIT])


def _related(runs: Manager) -> list[Run]:
    return list(runs.select_related("flow").defer(*UNSHOWN).order_by("id")[:RELATED_LIMIT])


def _may_have_sub_runs(run: Run) -> bool:
    """Whether it is worth asking: of a run of ours only a step of the component `flow` starts others."""
    return run.is_external or any(spec.get("component") == "flow" for spec in run.version.definition.get("steps", ()))
