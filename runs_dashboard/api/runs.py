"""Flow runs: one object (seeds 1 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..models import Role
from .errors import NotThere
from .including import show_runs
from .operations import ApiView, Operation, answer, is_id
from .representations import FlowRun
from .run_queries import LIST_PARAMETERS, filter_runs, with_everything

if TYPE_CHECKING:
    from django.http import HttpResponse
    from rest_framework.request import Request

    from ..models import Run

NOTHING_INCLUDED: dict[str, Any] = {"include": ()}


class RunView(ApiView):
    """What every view of one run needs."""

    def show(self, run: Run) -> FlowRun:
        """The run as it is now, whole."""
        fresh = with_everything(self.runs()).get(pk=run.pk)
        return show_runs([fresh], NOTHING_INCLUDED, is_single=True)[0]


class FlowRunView(RunView):
    operations = {
        "get": Operation(
            "Get Flow Run",
            Role.VIEWER,
            parameters=LIST_PARAMETERS,
            answers={200: FlowRun},
            errors=(404,),
        ),
    }

    def get(self, request: Request, run_id: str) -> HttpResponse:
        """Takes its list's filters too: a run that does not match is not there (seed 3)."""
        rows = with_everything(filter_runs(self.runs(), self.query, self.tenant))
        run = rows.filter(uid=run_id).first() if is_id(run_id) else None
        if run is None:
            raise NotThere
        return answer(show_runs([run], self.query, is_single=True)[0])
