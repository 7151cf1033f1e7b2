"""What can be done to a run: retry, stop, resume, review. The doing is the model's; here are names and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import Role, once
from .bodies import EmptyBody, RetryBody, StopBody
from .errors import Invalid
from .operations import IDEMPOTENCY_KEY, LOCATION, Operation, answer, as_plain
from .representations import FlowRun
from .runs import RunView

if TYPE_CHECKING:
    from django.http import HttpResponse
    from rest_framework.request import Request

    from ..models import Run


class RetryView(RunView):
    operations = {
        "post": Operation(
            "Retry Flow Run",
            Role.OPERATOR,
            headers=(IDEMPOTENCY_KEY,),
            body=RetryBody,
            answers={201: FlowRun},
            sends=(LOCATION,),
            errors=(404, 409),
        )
    }

    def post(self, request: Request, run_id: str) -> HttpResponse:
        run = self.find_run(run_id)
        body = self.read_body(RetryBody)
        version = (run.flow.latest if body.version == "newest" else None) or run.version
        steps = [step["id"] for step in version.definition.get("steps", ())]
        if body.from_ not in ("start", "failed", *steps):
            allowed = ", ".join(("start", "failed", *steps))
            raise Invalid(f"There is no step {body.from_!r}. Allowed: {allowed}.", "body", "from")

        def retry() -> FlowRun:
            new = run.retry(
                by=self.actor,
                start_at=body.from_,
                args=body.args,
                is_newest=body.version == "newest",
                is_newest_environment=body.environment == "newest",
                outputs=body.outputs,
            )
            return self.show(new)

        key = self.read_idempotency_key()
        shown, _ = once(self.tenant, f"retry:{run.uid}", key, self.read_bytes(), as_plain(retry))
        return answer(shown, 201, Location=f"/api/v1/flow-runs/{shown['id']}")


class StopView(RunView):
    operations = {
        "post": Operation(
            "Stop Flow Run", Role.OPERATOR, body=StopBody, answers={202: FlowRun}, errors=(404, 409), pace=""
        )
    }

    def post(self, request: Request, run_id: str) -> HttpResponse:
        run = self.find_run(run_id)
        body = self.read_body(StopBody)
        return answer(self.show(run.request_stop(by=self.actor, reason=body.reason, is_forced=body.force)), 202)


class PlainVerbView(RunView):
    """A verb that takes nothing."""

    status = 202

    def act(self, run: Run) -> Run:
        raise NotImplementedError

    def post(self, request: Request, run_id: str) -> HttpResponse:
        run = self.find_run(run_id)
        self.read_body(EmptyBody)
        return answer(self.show(self.act(run)), self.status)


class ResumeView(PlainVerbView):
    operations = {
        "post": Operation("Resume Flow Run", Role.OPERATOR, body=EmptyBody, answers={202: FlowRun}, errors=(404, 409))
    }

    def act(self, run: Run) -> Run:
        return run.resume(by=self.actor)


class ReviewView(PlainVerbView):
    operations = {
        "post": Operation("Review Flow Run", Role.SUPPORT, body=EmptyBody, answers={200: FlowRun}, errors=(404, 409))
    }
    status = 200

    def act(self, run: Run) -> Run:
        return run.review(by=self.actor)
