"""One act on the ticked runs of the list: each by the run's own verb, and told how many and why not the others."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from ...definition.inputs import InputError
from ...models import FlowDisabled, KeyReused, Role, Run, StatusConflict, once
from ..access import needs, read_text
from .account import go_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse

    from ...models import Actor
    from ..access import MemberRequest

LIMIT = 50  # runs, a page of the list
KEY_LENGTH = 64


def _retry(run: Run, by: Actor) -> None:
    start_at = "failed" if run.plan_retry(start_at="failed").kept else "start"
    run.retry(by=by, start_at=start_at if run.status != "succeeded" else "start")


def _stop(run: Run, by: Actor) -> None:
    run.request_stop(by=by, reason="stopped with others from the list")


def _review(run: Run, by: Actor) -> None:
    run.review(by=by)


# the act's name: who may, what it does to one run, how it is told
ACTS: dict[str, tuple[Role, Callable[[Run, Actor], None], str]] = {
    "retry": (Role.OPERATOR, _retry, "retried"),
    "stop": (Role.OPERATOR, _stop, "told to stop"),
    "review": (Role.SUPPORT, _review, "reviewed"),
}


@require_POST
@needs(Role.SUPPORT)
def act_on_runs(request: MemberRequest) -> HttpResponse:
    """Acts on the ticked runs, at most a page of them. The same form sent twice acts once."""
    name = request.POST.get("act", "")
    uids = list(dict.fromkeys(uid for uid in request.POST.getlist("run") if "\0" not in uid))[:LIMIT]
    if name not in ACTS or not uids:
        messages.error(request, "Tick the runs that are meant, then press a button.")
        return redirect(go_back(request))
    role, verb, told = ACTS[name]
    if not request.membership.may(role):
        raise PermissionDenied(f"This needs the role {role.label}.")

    def act() -> dict[str, Any]:
        return _act_on(request, uids, verb)

    said = json.dumps([name, sorted(uids)]).encode()
    key = read_text(request.POST, "key", KEY_LENGTH) or None
    try:
        answer, _ = once(request.tenant, "bulk", key, said, act)
    except KeyReused:
        messages.error(request, "This list was used before: look at it anew, then do it again.")
        return redirect(go_back(request))
    done, refused = answer["done"], answer["refused"]
    if done:
        messages.success(request, f"{done} run{'' if done == 1 else 's'} {told}.")
    for reason, count in refused.items():
        messages.warning(request, f"{count} not: {reason}")
    return redirect(go_back(request))


def _act_on(request: MemberRequest, uids: list[str], verb: Callable[[Run, Actor], None]) -> dict[str, Any]:
    done, refused = 0, Counter[str]()
    for run in Run.objects.of(request.tenant).filter(uid__in=uids).select_related("flow", "version").order_by("id"):
        try:
            verb(run, request.actor)
        except (StatusConflict, FlowDisabled, InputError) as error:
            refused[str(error)] += 1
        else:
            done += 1
    return {"done": done, "refused": dict(refused)}
