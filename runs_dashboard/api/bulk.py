"""`/api/v1/bulk-actions`: one act on everything that matches a filter, or on a list of runs, in the background."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from django.http import HttpResponse
from rest_framework.exceptions import PermissionDenied

from ..filter_fields import is_uuid
from ..filters import API_NAMES
from ..models import BulkAction, BulkResult, BulkRetry, Outcome, Role, once, preview
from ..models.bulk_action import MOST_RUNS
from .bodies import BulkBody, EmptyBody
from .cursors import Page, seal, unseal
from .errors import Invalid, NotThere, Problem
from .operations import IDEMPOTENCY_KEY, LOCATION, ApiView, Operation, answer, as_plain
from .parameters import Parameter
from .representations import iso
from .run_queries import FILTERS, choose_runs
from .small_pages import SMALL_PAGING, read_page

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


SAMPLE = 10  # ids of a dry run
RESULT_COLUMNS = ("run_uid", "outcome", "reason", "acted_at", "new_run__uid")
BY_NAME = {parameter.plain: parameter for parameter in FILTERS}
NAMES_OF_PAGES = {theirs: ours for ours, theirs in API_NAMES.items()} | {"virtual_environment_id": "environment"}
ActWord = Literal["retry", "stop", "review"]
OutcomeWord = Literal["waiting", "done", "refused", "skipped"]


class BulkShape(msgspec.Struct):
    """A bulk action. `filter` is null where `runs` were given; `waiting` runs have no outcome yet."""

    id: str
    action: ActWord
    status: Literal["queued", "running", "done", "aborted", "failed"]
    filter: dict[str, list[str]] | None
    query: str | None
    start_at: str | None
    version: Literal["same", "newest"] | None
    environment: Literal["same", "newest"] | None
    args: dict[str, Any] | None
    per_second: int | None
    total: int
    waiting: int
    done: int
    refused: int
    skipped: int
    error: str | None
    created_by: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    abort_requested_at: str | None
    abort_requested_by: str | None


class Refusal(msgspec.Struct):
    """So many runs would not be acted on, and why."""

    count: int
    reason: str


class BulkPreviewShape(msgspec.Struct):
    """What would be done. `total` is a lower bound where more match than one action takes."""

    action: ActWord
    total: int
    total_is_lower_bound: bool
    refused: int
    refusals: list[Refusal]
    sample: list[str]


class ResultShape(msgspec.Struct):
    """What came of one run."""

    run_id: str
    outcome: OutcomeWord
    reason: str | None
    new_run_id: str | None
    acted_at: str | None


class BulkPage(Page):
    items: list[BulkShape]


class ResultPage(Page):
    items: list[ResultShape]


class BulkView(ApiView):
    """A view of one action."""

    def find(self, bulk_id: str) -> BulkAction:
        """The tenant's action. Raises NotThere."""
        rows = BulkAction.objects.of(self.tenant)
        found: BulkAction | None = rows.filter(uuid=bulk_id).first() if is_uuid(bulk_id) else None
        if found is None:
            raise NotThere
        return found

    def check_role(self, act: str) -> None:
        """Raises PermissionDenied: an operation of many needs what the same of one needs."""
        role = BulkAction.role_for(act)
        if not self.key.may(role):
            raise PermissionDenied(f"This needs the role {role}; the key has {self.key.role}.")


class BulkActionsView(BulkView):
    operations = {
        "get": Operation("List Bulk Actions", Role.VIEWER, parameters=SMALL_PAGING, answers={200: BulkPage}),
        "post": Operation(
            "Create Bulk Action",
            Role.SUPPORT,
            headers=(IDEMPOTENCY_KEY,),
            body=BulkBody,
            is_body_required=True,
            answers={200: BulkPreviewShape, 202: BulkShape},
            sends=(LOCATION,),
            errors=(409,),
        ),
    }

    def get(self, request: Request) -> HttpResponse:
        """The tenant's actions, newest first."""
        rows = BulkAction.objects.of(self.tenant).order_by("-id")
        found, page = read_page(rows, self.query, scope=f"{self.tenant.pk}:bulk")
        page.items = [show(action) for action in found]
        return answer(page)

    def post(self, request: Request) -> HttpResponse:
        body = self.read_body(BulkBody)
        self.check_role(body.action)
        if (body.filter is None) == (body.runs is None):
            raise Invalid("Give either filter or runs.", "body", "filter")
        runs = self._filter(body.filter) if body.filter is not None else None
        if body.dry_run:
            chosen = self.runs().filter(uid__in=body.runs) if runs is None else runs
            return answer(_preview(chosen, body))

        def ask() -> BulkShape:
            return show(
                BulkAction.ask(
                    self.tenant,
                    body.action,
                    by=self.actor,
                    runs=runs,
                    uids=body.runs or (),
                    pairs=_pairs(body.filter or {}),
                    how=BulkRetry(
                        body.start_at, body.version == "newest", body.environment == "newest", dict(body.args)
                    ),
                    per_second=body.per_second if body.action == "retry" else None,
                    at_most=body.at_most,
                )
            )

        key = self.read_idempotency_key()
        shown, _ = once(self.tenant, "bulk-actions", key, self.read_bytes(), as_plain(ask))
        return answer(shown, 202, Location=f"/api/v1/bulk-actions/{shown['id']}")

    def _filter(self, asked: dict[str, Any]) -> Any:
        """The runs that match, by the filters of the run list. Raises Invalid with every mistake."""
        if not asked:
            raise Invalid("An empty filter would mean all runs: say which.", "body", "filter")
        problems = []
        given: dict[str, Any] = {}
        for name, value in asked.items():
            parameter = BY_NAME.get(name)
            if parameter is None:
                said = f"The filter {name[:100]!r} is not known. Allowed: {', '.join(BY_NAME)}."
                problems.append(Problem(["body", "filter", name[:100]], said, "unknown_parameter"))
                continue
            try:
                given[name] = _read(parameter, _texts(value))
            except ValueError as error:
                problems.append(Problem(["body", "filter", name], f"{name}: {error}", "value_error"))
        if problems:
            raise Invalid.of(problems)
        return choose_runs(self.runs(), given, self.tenant, lambda name: ["body", "filter", name])


class BulkActionView(BulkView):
    operations = {"get": Operation("Get Bulk Action", Role.VIEWER, answers={200: BulkShape}, errors=(404,))}

    def get(self, request: Request, bulk_id: str) -> HttpResponse:
        return answer(show(self.find(bulk_id)))


class AbortView(BulkView):
    operations = {
        "post": Operation(
            "Abort Bulk Action", Role.SUPPORT, body=EmptyBody, answers={200: BulkShape}, errors=(404, 409), pace=""
        )
    }

    def post(self, request: Request, bulk_id: str) -> HttpResponse:
        """Nothing more is done from this answer on; what is done stays done."""
        self.read_body(EmptyBody)
        action = self.find(bulk_id)
        self.check_role(action.action)
        return answer(show(action.abort(by=self.actor)))


class ResultsView(BulkView):
    operations = {
        "get": Operation(
            "List Bulk Action Results",
            Role.VIEWER,
            parameters=(
                Parameter("outcome", "words", "Several with commas.", choices=tuple(Outcome.values)),
                Parameter("per_page", "whole", "Items a page.", default=25, least=1, most=100),
                Parameter("cursor", about="From an answer."),
            ),
            answers={200: ResultPage},
            errors=(404,),
        )
    }

    def get(self, request: Request, bulk_id: str) -> HttpResponse:
        """In the order of the work."""
        action = self.find(bulk_id)
        wanted, size = self.query["outcome"] or tuple(Outcome.values), self.query["per_page"]
        scope = f"{self.tenant.pk}:{action.pk}:{','.join(sorted(wanted))}"
        cursor = self.query["cursor"]
        after = int(unseal(cursor, scope)) if cursor is not None else 0
        rows = action.results.filter(outcome__in=wanted).order_by("id")
        columns = rows.only(*RESULT_COLUMNS).select_related("new_run")
        found = list(columns.filter(id__gt=after)[: size + 1])
        counts = {"waiting": action.left, "done": action.done, "refused": action.refused, "skipped": action.skipped}
        this = seal(str(after), scope)
        page = ResultPage(
            items=[show_result(result) for result in found[:size]],
            total=sum(counts[word] for word in wanted),
            current_page=this,
            current_page_backwards=this,
            previous_page=seal(str(_before(rows, after, size)), scope) if after else None,
            next_page=seal(str(found[size - 1].pk), scope) if len(found) > size else None,
        )
        return answer(page)


def show(action: BulkAction) -> BulkShape:
    asked = defaultdict[str, list[str]](list)
    for name, value in action.pairs:
        asked[API_NAMES.get(name, name)].append(value)
    return BulkShape(
        id=action.uid,
        action=action.action,  # type: ignore[arg-type]
        status=action.status,  # type: ignore[arg-type]
        filter=dict(asked) or None,
        query=action.query or None,
        start_at=action.start_at or None,
        version=_say_newest(action, action.is_newest),
        environment=_say_newest(action, action.is_newest_environment),
        args=action.changes or None,
        per_second=action.per_second,
        total=action.total,
        waiting=action.left,
        done=action.done,
        refused=action.refused,
        skipped=action.skipped,
        error=action.error or None,
        created_by=action.created_by_name,
        created_at=iso(action.created_at) or "",
        started_at=iso(action.started_at),
        finished_at=iso(action.finished_at),
        abort_requested_at=iso(action.abort_requested_at),
        abort_requested_by=action.abort_requested_by or None,
    )


def _say_newest(action: BulkAction, is_newest: bool) -> Literal["same", "newest"] | None:
    return None if action.action != BulkAction.Act.RETRY else "newest" if is_newest else "same"


def show_result(result: BulkResult) -> ResultShape:
    return ResultShape(
        run_id=result.run_uid,
        outcome=result.outcome,  # type: ignore[arg-type]
        reason=result.reason or None,
        new_run_id=result.new_run.uid if result.new_run else None,
        acted_at=iso(result.acted_at),
    )


def _preview(runs: Any, body: BulkBody) -> BulkPreviewShape:
    said = preview(runs, body.action)
    refusals = [Refusal(count, reason) for reason, count in said.refusals]
    total, missing = said.total, 0
    if body.runs is not None:  # ids that are none of the tenant's are counted as the action would count them
        total = len(set(body.runs))
        missing = total - said.total
        refusals += [Refusal(missing, "no such run")] if missing else []
    return BulkPreviewShape(
        action=body.action,
        total=min(total, MOST_RUNS),
        total_is_lower_bound=said.is_too_many,
        refused=said.refused + missing,
        refusals=refusals,
        sample=list(runs.in_any_order().values_list("uid", flat=True)[:SAMPLE]),
    )


def _texts(value: Any) -> list[str]:
    """A filter's value, or values, as the address would spell them."""
    values = value if isinstance(value, list) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


def _read(parameter: Parameter, texts: list[str]) -> Any:
    """What the run list reads from the same texts. Raises ValueError with a sentence."""
    if not texts or "" in texts:
        raise ValueError("an empty value; leave the filter out instead.")
    if parameter.kind == "pair":
        return [parameter.read(text) for text in texts]
    return parameter.read(",".join(texts))


def _pairs(asked: dict[str, Any]) -> list[tuple[str, str]]:
    """The filter in the names of the pages."""
    return [(NAMES_OF_PAGES.get(name, name), text) for name, value in asked.items() for text in _texts(value)]


def _before(rows: QuerySet, after: int, size: int) -> int:
    """The place that a page of so many rows before this one begins behind; 0 for the first."""
    found = list(rows.order_by("-id").filter(id__lte=after).values_list("id", flat=True)[: size + 1])
    return found[size] if len(found) > size else 0
