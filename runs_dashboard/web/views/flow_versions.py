"""A flow's versions: each for reading, and what is different between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ...models import FlowVersion, Role
from ..access import find_flow, needs
from ..flow_reading import read_inputs, read_limits, read_steps
from ..version_diff import compare

if TYPE_CHECKING:
    from django.http import HttpResponse

    from ...models import Flow
    from ..access import MemberRequest

VERSIONS_SHOWN = 200
SOURCE_LINES = 5_000
LINE_LENGTH = 2_000  # characters


@require_GET
@needs(Role.VIEWER)
def version_list(request: MemberRequest, slug: str) -> HttpResponse:
    """All versions; `?from=3&to=5` shows what the second has changed, else what the newest one has."""
    flow = find_flow(request, slug)
    rows = flow.versions.select_related("created_by").order_by("-number")
    versions = list(rows.defer("definition", "source")[: VERSIONS_SHOWN + 1])
    old, new = (_find(flow, request.GET.get(name, "")) for name in ("from", "to"))
    is_asked = "from" in request.GET or "to" in request.GET
    new = new or (flow.latest if "to" not in request.GET else None)
    if new is not None and old is None and "from" not in request.GET:
        old = flow.versions.filter(number__lt=new.number).order_by("-number").first()
    context: dict[str, Any] = {
        "flow": flow,
        "versions": versions[:VERSIONS_SHOWN],
        "has_more": len(versions) > VERSIONS_SHOWN,
        "old": old,
        "new": new,
        "is_unknown": is_asked and (old is None or new is None),
        "diff": compare(write_source(old), write_source(new)) if old and new else None,
    }
    return render(request, "flows/versions.html", context)


@require_GET
@needs(Role.VIEWER)
def version_detail(request: MemberRequest, slug: str, number: int) -> HttpResponse:
    flow = find_flow(request, slug)
    version = _find(flow, str(number))
    if version is None:
        raise Http404("The flow has no such version.")
    others = flow.versions.defer("definition", "source")
    context = {
        "flow": flow,
        "version": version,
        "previous": others.filter(number__lt=version.number).order_by("-number").first(),
        "next": others.filter(number__gt=version.number).order_by("number").first(),
        **read_version(version),
    }
    return render(request, "flows/version.html", context)


def read_version(version: FlowVersion | None) -> dict[str, Any]:
    """What the template of a definition shows."""
    if version is None:
        return {"steps": [], "inputs": [], "limits": [], "source": []}
    definition = version.parsed
    return {
        "steps": read_steps(definition),
        "inputs": read_inputs(definition),
        "limits": read_limits(definition),
        "source": [line[:LINE_LENGTH] for line in write_source(version).splitlines()[:SOURCE_LINES]],
    }


def write_source(version: FlowVersion) -> str:
    """The version as YAML: as it was written, else made from what is kept."""
    return version.source or yaml.safe_dump(version.definition, sort_keys=False, allow_unicode=True, width=100)


def _find(flow: Flow, number: str) -> FlowVersion | None:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    found: FlowVersion | None = flow.versions.select_related("created_by").filter(number=int(number)).first()
    return found
