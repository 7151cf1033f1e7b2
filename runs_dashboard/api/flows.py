"""`/api/v1/flows`: what can run, with its latest version and last run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import OuterRef, Q, QuerySet, Subquery

from ..definition.inputs import json_schema
from ..models import Flow, Role, Run
from .cursors import Page
from .errors import NotThere
from .operations import ApiView, Operation, answer, is_id
from .parameters import Parameter
from .representations import FlowShape, show_flow
from .small_pages import SMALL_PAGING, read_page

if TYPE_CHECKING:
    from django.http import HttpResponse
    from rest_framework.request import Request


class FlowPage(Page):
    items: list[FlowShape]


class FlowsView(ApiView):
    operations = {
        "get": Operation(
            "List Flows",
            Role.VIEWER,
            parameters=(Parameter("filter[search]", about="A part of its id or name."), *SMALL_PAGING),
            answers={200: FlowPage},
        )
    }

    def rows(self) -> QuerySet:
        last = Run.objects.of(self.tenant).filter(flow=OuterRef("pk")).order_by("-ordered_at", "-id").values("pk")
        return Flow.objects.of(self.tenant).select_related("latest").annotate(last_run=Subquery(last[:1]))

    def show(self, flows: list[Flow]) -> list[FlowShape]:
        pks = [flow.last_run for flow in flows if flow.last_run]  # type: ignore[attr-defined]
        columns = ("uid", "status", "started_at", "flow_id", "tenant_id")
        runs = {run.flow_id: run for run in Run.objects.of(self.tenant).filter(pk__in=pks).only(*columns)}
        return [show_flow(flow, runs.get(flow.pk)) for flow in flows]

    def get(self, request: Request) -> HttpResponse:
        rows = self.rows()
        if text := self.query["filter[search]"]:
            rows = rows.filter(Q(slug__icontains=text) | Q(name__icontains=text))
        flows, page = read_page(rows.order_by("slug"), self.query, scope=f"{self.tenant.pk}:flows")
        page.items = self.show(flows)
        return answer(page)


class FlowView(FlowsView):
    operations = {"get": Operation("Get Flow", Role.VIEWER, answers={200: FlowShape}, errors=(404,))}

    def get(self, request: Request, flow_id: str) -> HttpResponse:  # type: ignore[override]
        flow = self.rows().filter(slug=flow_id).first() if is_id(flow_id) else None
        if flow is None:
            raise NotThere
        (shown,) = self.show([flow])
        shown.inputs = json_schema(flow.latest.definition.get("inputs", {}) if flow.latest else {})
        return answer(shown)
