"""A flow's webhook: the secrets that its callers sign with, and what they sent."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from ...definition.inputs import InputError
from ...models import FlowDisabled, KeyReused, ResendRefused, Role, WebhookDelivery, WebhookSecret, once
from ..access import find_flow, needs, read_text
from .flows import about_flow

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from ..access import MemberRequest

PAGE_SIZE = 50
KEY_LENGTH = 64
USABLE_LIMIT = 20  # secrets of one flow: each is tried for each signature
KEEP = {"0": timedelta(0), "1": timedelta(hours=1), "24": timedelta(days=1), "168": timedelta(days=7)}


@require_POST
@never_cache
@needs(Role.ADMIN)
def secret_make(request: MemberRequest, slug: str) -> HttpResponse:
    """The answer shows the new secret; nothing else ever does. keep: hours that those before it still hold."""
    flow = find_flow(request, slug)
    keep = request.POST.get("keep", "")
    if WebhookSecret.objects.of(request.tenant).filter(flow=flow).usable().count() >= USABLE_LIMIT:
        messages.error(request, f"{USABLE_LIMIT} secrets still hold. Revoke one that nobody signs with any more.")
        return redirect("flow_detail", flow.slug)
    if keep in KEEP:
        row, secret = WebhookSecret.rotate(flow, by=request.actor, keep=KEEP[keep])
    else:
        row, secret = WebhookSecret.make(flow, by=request.actor)
    return render(request, "flows/detail.html", about_flow(request, flow) | {"made": {"row": row, "secret": secret}})


@require_POST
@needs(Role.ADMIN)
def secret_revoke(request: MemberRequest, slug: str, secret: int) -> HttpResponse:
    flow = find_flow(request, slug)
    found = WebhookSecret.objects.of(request.tenant).filter(flow=flow, pk=min(secret, 2**63 - 1)).first()
    if found is None:
        raise Http404("There is no such secret.")
    found.revoke(by=request.actor)
    messages.success(request, f"The secret {found} has ended: nothing signed with it is taken any more.")
    return redirect("flow_detail", flow.slug)


@require_GET
@needs(Role.VIEWER)
def delivery_list(request: MemberRequest, slug: str) -> HttpResponse:
    """Newest first; `before` is the last one of the page before."""
    flow = find_flow(request, slug)
    rows = WebhookDelivery.objects.of(request.tenant).filter(flow=flow).for_list()
    before = request.GET.get("before", "")
    is_first = not (before.isascii() and before.isdigit() and len(before) <= 18)
    if not is_first:
        rows = rows.filter(pk__lt=int(before))
    shown = list(rows[: PAGE_SIZE + 1])
    context = {
        "flow": flow,
        "deliveries": shown[:PAGE_SIZE],
        "is_first": is_first,
        "older": shown[PAGE_SIZE - 1].pk if len(shown) > PAGE_SIZE else None,
        "key": uuid.uuid4().hex,
    }
    return render(request, "flows/deliveries.html", context)


@require_GET
@needs(Role.VIEWER)
def delivery_detail(request: MemberRequest, slug: str, delivery: UUID) -> HttpResponse:
    flow = find_flow(request, slug)
    found = _find(request, slug, delivery)
    context = {
        "flow": flow,
        "delivery": found,
        "key": uuid.uuid4().hex,
        "resends": list(found.resends.order_by("-id")[:20]),
    }
    return render(request, "flows/delivery.html", context)


@require_POST
@needs(Role.OPERATOR)
def delivery_resend(request: MemberRequest, slug: str, delivery: UUID) -> HttpResponse:
    """Starts the flow anew with the same body; the same button pressed twice starts one run."""
    found = _find(request, slug, delivery)

    def act() -> dict[str, Any]:
        return {"uid": found.resend(by=request.actor).uid}

    key = read_text(request.POST, "key", KEY_LENGTH) or None
    try:
        answer, is_old = once(request.tenant, f"resend:{found.uuid}", key, b"", act)
    except InputError as error:
        said = "; ".join(f"{name}: {problem}" if name else problem for name, problem in error.problems)
        messages.error(request, f"Not started: {said}.")
    except (ResendRefused, FlowDisabled, KeyReused) as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, "This button was pressed before: this is the run it started." if is_old else "Started."
        )
        return redirect("run_detail", answer["uid"])
    return redirect("delivery_detail", found.flow.slug, found.uuid)


def _find(request: MemberRequest, slug: str, delivery: UUID) -> WebhookDelivery:
    """The tenant's delivery to that flow. Raises Http404."""
    rows = WebhookDelivery.objects.of(request.tenant).select_related("flow__latest", "run", "resent_by", "resent_from")
    found: WebhookDelivery | None = rows.filter(uuid=delivery, flow__slug=slug.replace("\0", "/")).first()
    if found is None:
        raise Http404("There is no such delivery.")
    return found
