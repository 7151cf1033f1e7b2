"""The values of a run by themselves, payloads too: a page for each, and a file of it as it is kept."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from ...models import Payload, Role, Run
from ...text.export import safe_filename
from ...text.tree import NoSuchValue, find_value, name_path, split_pointer, write_json
from ..access import find_run, needs, read_text
from ..values import NAMES, read_payload, read_values

if TYPE_CHECKING:
    from ..access import MemberRequest

POINTER_LENGTH = 4_000
PAGE_VALUES = 2_000  # on the page of a value


@require_GET
@needs(Role.VIEWER)
def run_values(request: MemberRequest, uid: str, part: str) -> HttpResponse:
    """One value of the run (`at`, a JSON pointer) as a tree; `from`: so many of its own values are passed over."""
    run = find_run(request, uid)
    pointer = read_text(request.GET, "at", POINTER_LENGTH)
    title, name, infix, value = _find(run, part, pointer)
    begin = request.GET.get("from", "")
    start = int(begin) if begin.isascii() and begin.isdigit() and len(begin) < 10 else 0
    keys = split_pointer(pointer)
    steps = ["", *("/" + "/".join(pointer[1:].split("/")[: place + 1]) for place in range(len(keys)))]
    context = {
        "run": run,
        "part": part,
        "title": title,
        "name": name,
        "infix": infix,
        "value": value,
        "pointer": pointer,
        "path": name_path(name, pointer, infix=infix),
        "crumbs": list(zip(steps, [title, *keys], strict=True))[:-1],
        "here": keys[-1] if keys else "",
        "start": start,
        "most": PAGE_VALUES,
        "size": len(value) if isinstance(value, dict | list) else None,
        "previous": max(0, start - PAGE_VALUES) if start else None,
    }
    return render(request, "runs/values.html", context)


@require_GET
@needs(Role.VIEWER)
def run_value_json(request: MemberRequest, uid: str, part: str) -> HttpResponse:
    """The same value as JSON, whole: never shown by the browser itself."""
    run = find_run(request, uid)
    pointer = read_text(request.GET, "at", POINTER_LENGTH)
    title, _, _, value = _find(run, part, pointer)
    name = safe_filename("-".join([run.short_uid, title.lower(), *split_pointer(pointer)])[:120])
    return _give(write_json(value) + "\n", name, "json")


@require_GET
@needs(Role.VIEWER)
def run_payload(request: MemberRequest, uid: str, payload: uuid.UUID) -> HttpResponse:
    run = find_run(request, uid)
    found = _find_payload(run, payload)
    is_json, value = read_payload(found)
    return render(request, "runs/payload.html", {"run": run, "payload": found, "is_json": is_json, "value": value})


@require_GET
@needs(Role.VIEWER)
def run_payload_body(request: MemberRequest, uid: str, payload: uuid.UUID) -> HttpResponse:
    """The body as it is kept."""
    run = find_run(request, uid)
    found = _find_payload(run, payload)
    ending = "json" if read_payload(found)[0] else "txt"
    name = safe_filename(f"{run.short_uid}-line-{found.line}-{found.name or found.kind}"[:120])
    return _give(found.body, name.removesuffix(f".{ending}"), ending)


def _give(text: str, name: str, ending: str) -> HttpResponse:
    """Text as a file: never shown by the browser itself, for it may be anything."""
    kind = "application/json" if ending == "json" else "text/plain; charset=utf-8"
    response = HttpResponse(text, content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.{ending}") or ""
    response["X-Content-Type-Options"], response["Cache-Control"] = "nosniff", "private, no-store"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _find(run: Run, part: str, pointer: str) -> tuple[str, str, str, Any]:
    """The title of a part, what its paths begin with (see text.tree.name_path), and the value. Raises Http404."""
    if part in NAMES:
        title, (name, infix) = part.capitalize(), NAMES[part]
        value = read_values(run, part)
    else:
        try:
            payload = _find_payload(run, uuid.UUID(part))
        except ValueError:
            raise Http404("There is no such value of a run.") from None
        title, name, infix = payload.name or payload.get_kind_display(), "body", ""
        is_json, value = read_payload(payload)
        if not is_json:
            raise Http404("This payload is not JSON.")
    try:
        return title, name, infix, find_value(value, pointer)
    except NoSuchValue:
        raise Http404("There is no such value in it.") from None


def _find_payload(run: Run, wanted: uuid.UUID) -> Payload:
    found = Payload.objects.of(run.tenant_id).filter(run=run, uuid=wanted).select_related("step").first()
    if found is None:
        raise Http404("There is no such payload.")
    return found
