"""The streams as Django views, for servers that do not go through `runs_dashboard.asgi`, for tests, for `reverse()`.

Here an open stream costs a thread, as Django's middleware is synchronous, but no database connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.db import connections
from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from .access import Kind, Refused, open_stream
from .answers import answer_refusal
from .hub import get_hub
from .stream import HEADERS, follow

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


@login_not_required
@require_GET
async def run_log_stream(request: HttpRequest, uid: str, kind: Kind) -> HttpResponseBase:
    """The log of a run as rows of its page."""
    return await _answer(request, uid, kind)


@login_not_required
@csrf_exempt  # a key is no cookie; and what is no GET is to be told so in the API's own shape
async def api_run_log_stream(request: HttpRequest, uid: str, kind: Kind) -> HttpResponseBase:
    """The log of a run as the API's log entries."""
    if request.method != "GET":
        said = f'Method "{request.method}" not allowed.'
        refusal = Refused(405, said, loc=("method",), kind="method_not_allowed", headers={"Allow": "GET"})
        return _refuse(refusal, kind)
    return await _answer(request, uid, kind)


async def _answer(request: HttpRequest, uid: str, kind: Kind) -> HttpResponseBase:
    hub = get_hub()
    # The middleware has read the session in the request's own thread, whose connection would stay until the end.
    await sync_to_async(connections.close_all)()
    try:
        ticket = await open_stream(hub, request, kind, uid)
    except Refused as refusal:
        return _refuse(refusal, kind)
    return StreamingHttpResponse(follow(hub, ticket), headers=HEADERS)


def _refuse(refusal: Refused, kind: Kind) -> HttpResponse:
    headers, body = answer_refusal(refusal, kind)
    return HttpResponse(body, status=refusal.status, headers=headers)
