"""Runs that an external engine reports: upsert, patch, one action, heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError

from ..models import EndUser, Flow, Role, Run, Status, StatusConflict, UidTaken
from .bodies import ActionBody, EmptyBody, PatchBody, ReportBody
from .errors import Conflict, Invalid, TooMany
from .incoming import check_size, read_end_user, read_report, read_step, read_tags, read_tracked
from .operations import Operation, answer, is_id
from .representations import Action, Heartbeat, show_action
from .runs import RunView

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpResponse
    from rest_framework.request import Request

# What only a run's own engine can say.
PROGRESS = ("phase", "start_time", "end_time", "actions", "outputs", "logs", "error", "metrics")


def check_path_id(run_id: str, body_id: str | None = None) -> None:
    """Seed 1's pattern for the id in the address, and the same id in the body where it is named."""
    if not is_id(run_id):
        raise Invalid("An id matches ^[a-z0-9_.-]+$ and has at most 255 characters.", "path", "id_")
    if body_id not in (None, run_id):
        raise Invalid("The id differs from the one in the address.", "body", "id")


class ReportingView(RunView):
    def upsert(self, run_id: str, body: ReportBody) -> tuple[Run, bool]:
        """The run with the report taken in, and whether it is new."""
        run = self.runs().filter(uid=run_id).select_related("flow", "version").first()
        if run is None:
            try:
                return self.create(run_id, body), True
            except (UidTaken, IntegrityError):  # the same report, sent twice at once: the other one was first
                run = self.find_run(run_id)
        return self.update(run, body), False

    def create(self, run_id: str, body: ReportBody) -> Run:
        known = Flow.objects.of(self.tenant).filter(slug=body.flow_id).select_related("latest").first()
        if known is None or not known.has_steps:
            flow = known or Flow.named(
                body.flow_id, tenant=self.tenant, by=self.actor, flow_type=body.flow_type or "automation"
            )
            report = read_report(body, self.tenant, flow)
            return Run.report_new(flow=flow, uid=run_id, by=self.actor, report=report)
        if said := [name for name in PROGRESS if getattr(body, name) is not None]:
            raise Conflict(f"The product executes {known.slug} itself: nobody else reports {', '.join(said)}.")
        return start_run(self, known, body, uid=run_id)

    def update(self, run: Run, body: PatchBody) -> Run:
        if body.flow_id not in (None, run.flow.slug):
            raise Conflict(f"The run is one of the flow {run.flow.slug}.")
        if not run.is_external:
            self.refuse_changes(run, body)
            run.add_keys(tags=read_tags(body.tags), tracked=read_tracked(body.tracked_data), by=self.actor)
            return run
        return run.take_report(read_report(body, self.tenant, run.flow), by=self.actor)

    def refuse_changes(self, run: Run, body: PatchBody) -> None:
        """Of a run that the product executes only tags and tracked data can be added."""
        given = [
            name
            for name in (*PROGRESS, "args", "end_user", "environment", "conversation_id", "parent_run_id")
            if getattr(body, name) not in (None, getattr(run, name, None))
        ]
        if given:
            raise StatusConflict(f"The product executes this run itself: nobody else sets {', '.join(given)}.")


QUEUE_LIMIT = 20_000  # waiting runs of one tenant
QUEUE_SECONDS = 30


def check_queue(view: RunView) -> None:
    """Raises TooMany where so many runs wait that one more would only wait longer."""
    waiting = view.runs().filter(status=Status.QUEUED).order_by("queued_at", "id").values("pk")
    if waiting[QUEUE_LIMIT - 1 : QUEUE_LIMIT].exists():
        raise TooMany(f"{QUEUE_LIMIT:,} runs wait already.", retry_after=QUEUE_SECONDS)


def start_run(view: RunView, flow: Flow, body: Any, **fields: Any) -> Run:
    """Starts a run of a flow as a client asks for it (seed 1's body)."""
    check_size(body.args, settings.ARGS_MAX_BYTES, "body", "args")
    check_queue(view)
    if (end_user := read_end_user(body.end_user)) is not None:
        kind, session, is_anonymous = end_user
        fields["end_user"] = EndUser.of(flow.tenant_id, kind, session, is_anonymous=is_anonymous)
    if body.conversation_id:
        fields["conversation_id"] = body.conversation_id
    return flow.start(
        body.args or {},
        trigger="api",
        by=view.actor,
        environment=body.environment or "",
        tags=read_tags(body.tags),
        tracked=read_tracked(body.tracked_data),
        **fields,
    )


class ActionView(RunView):
    operations = {
        "put": Operation("Report a step", Role.OPERATOR, body=ActionBody, answers={200: Action}, errors=(404, 409))
    }

    def put(self, request: Request, run_id: str, action: str) -> HttpResponse:
        run = self.find_run(run_id)
        body = self.read_body(ActionBody)
        if not 0 < len(action) <= 200 or "\0" in action:
            raise Invalid("An action's id has 1 to 200 characters.", "path", "action")
        if body.id not in (None, action):
            raise Invalid("The id differs from the one in the address.", "body", "id")
        return answer(show_action(run.report_step(read_step(action, body, "body"), by=self.actor)))


class HeartbeatView(RunView):
    operations = {
        "post": Operation(
            "Heartbeat", Role.OPERATOR, body=EmptyBody, answers={200: Heartbeat}, errors=(404, 409), pace=""
        )
    }

    def post(self, request: Request, run_id: str) -> HttpResponse:
        """`stop` is true once a stop is requested, and when the run is over already."""
        run = self.find_run(run_id)
        self.read_body(EmptyBody)
        return answer(Heartbeat(run.keep_alive()))
