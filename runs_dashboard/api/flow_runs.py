"""`/api/v1/flow-runs` and `/api/v1/flow-runs/{id}` (seeds 1 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from ..models import Flow, Role, Run, once
from .bodies import PatchBody, ReportBody, StartBody
from .cursors import Page
from .errors import Invalid, NotThere
from .including import read_rows, show_runs
from .ingest import CONTENT_ENCODING, RUN_COLUMNS, Appended, append_lines
from .logs import LIST_PARAMETERS as LOG_PARAMETERS
from .logs import FlowRunLogsView
from .operations import IDEMPOTENCY_KEY, LOCATION, Operation, answer, as_plain, is_id
from .reports import ReportingView, check_path_id, start_run
from .representations import FlowRun, LogEntry
from .run_pages import RunPages
from .run_queries import LIST_PARAMETERS, filter_runs
from .runs import RunView

if TYPE_CHECKING:
    from rest_framework.request import Request


class RunPage(Page):
    items: list[FlowRun]


class LogPage(Page):
    items: list[LogEntry]


class FlowRunsView(RunView):
    operations = {
        "get": Operation("Get Flow Runs", Role.VIEWER, parameters=LIST_PARAMETERS, answers={200: RunPage}),
        "post": Operation(
            "Create Flow Run",
            Role.OPERATOR,
            headers=(IDEMPOTENCY_KEY,),
            body=StartBody,
            is_body_required=True,
            answers={201: FlowRun},
            sends=(LOCATION,),
            errors=(409, 429),
        ),
    }

    def get(self, request: Request) -> HttpResponse:
        rows = filter_runs(self.runs(), self.query, self.tenant)
        pages = RunPages(rows, tenant_id=self.tenant.pk, is_ascending=self.query["sort"] == "started_at")
        runs, page = pages.read(read_rows(rows, self.query), self.query)
        page.items = show_runs(runs, self.query)
        return answer(page)

    def post(self, request: Request) -> HttpResponse:
        body = self.read_body(StartBody)
        flow = Flow.objects.of(self.tenant).filter(slug=body.flow_id).select_related("latest").first()
        if flow is None:
            raise Invalid(f"There is no flow {body.flow_id!r}.", "body", "flowId")
        fields: dict[str, Any] = {"uid": body.id} if body.id else {}

        def start() -> FlowRun:
            return self.show(start_run(self, flow, body, **fields))

        key = self.read_idempotency_key()
        shown, _ = once(self.tenant, "start", key, self.read_bytes(), as_plain(start))
        return answer(shown, 201, Location=f"/api/v1/flow-runs/{shown['id']}")


class FlowRunView(ReportingView):
    operations = {
        "get": Operation(
            "Get Flow Run", Role.VIEWER, parameters=LIST_PARAMETERS, answers={200: FlowRun}, errors=(404,)
        ),
        "put": Operation(
            "Upsert Flow Run",
            Role.OPERATOR,
            body=ReportBody,
            is_body_required=True,
            answers={200: FlowRun, 201: FlowRun},
            errors=(409, 429),
        ),
        "patch": Operation(
            "Report on a Flow Run", Role.OPERATOR, body=PatchBody, answers={200: FlowRun}, errors=(404, 409)
        ),
        "delete": Operation("Delete Flow Run", Role.ADMIN, answers={204: None}, errors=(404, 409)),
    }

    def get(self, request: Request, run_id: str) -> HttpResponse:
        """Takes its list's filters too: a run that does not match is not there (seed 3)."""
        rows = read_rows(filter_runs(self.runs(), self.query, self.tenant), self.query, is_single=True)
        run = rows.filter(uid=run_id).first() if is_id(run_id) else None
        if run is None:
            raise NotThere
        return answer(show_runs([run], self.query, is_single=True)[0])

    def put(self, request: Request, run_id: str) -> HttpResponse:
        body = self.read_body(ReportBody)
        check_path_id(run_id, body.id)
        run, is_new = self.upsert(run_id, body)
        return answer(self.show(run), 201 if is_new else 200)

    def patch(self, request: Request, run_id: str) -> HttpResponse:
        run = self.find_for_change(run_id)
        body = self.read_body(PatchBody)
        check_path_id(run_id, body.id)
        return answer(self.show(self.update(run, body)))

    def delete(self, request: Request, run_id: str) -> HttpResponse:
        self.find_for_change(run_id).delete_whole(by=self.actor)
        return HttpResponse(status=204)

    def find_for_change(self, run_id: str) -> Run:
        check_path_id(run_id)
        return self.find_run(run_id)


class LogsView(FlowRunLogsView):
    """The list, and what appends to it."""

    operations = {
        "get": Operation(
            "List Run Logs", Role.VIEWER, parameters=LOG_PARAMETERS, answers={200: LogPage}, errors=(404,)
        ),
        "post": Operation(
            "Append to Run Logs",
            Role.OPERATOR,
            headers=(IDEMPOTENCY_KEY, CONTENT_ENCODING),
            body="lines",
            is_body_required=True,
            answers={201: Appended},
            errors=(404, 409, 413, 415),
            pace="append",
        ),
    }

    def post(self, request: Request, run_id: str) -> HttpResponse:
        run = self.runs().filter(uid=run_id).only(*RUN_COLUMNS).first() if is_id(run_id) else None
        if run is None:
            raise NotThere
        return answer(append_lines(request, run, self.read_idempotency_key(), self.tenant), 201)
