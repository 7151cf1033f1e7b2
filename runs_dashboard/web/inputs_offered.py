"""Inputs that were given before, for the form that starts a flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..models import Role, Run
from .access import read_text

if TYPE_CHECKING:
    from ..models import Flow
    from .access import MemberRequest

NEWEST = 1_000  # of the flow's runs are searched for the reader's own
COLUMNS = ("uid", "status", "ordered_at", "tenant_id", "stop_requested_at")
UID_LENGTH = 255


@dataclass
class InputsOffered:
    """args, environment: of the run that the address names; others: runs whose inputs may be taken, each with a word.

    is_unknown: the address names a run that is none of the flow's.
    """

    args: dict[str, Any] = field(default_factory=dict)
    environment: str = ""
    chosen: Run | None = None
    is_unknown: bool = False
    others: list[tuple[str, Run]] = field(default_factory=list)

    @classmethod
    def read(cls, request: MemberRequest, flow: Flow) -> InputsOffered:
        """`?inputs=<run>`: the inputs of that run. Those who may not start the flow are offered none."""
        offered = cls()
        if not flow.has_steps or not request.membership.may(Role.OPERATOR):
            return offered
        runs = Run.objects.of(flow.tenant_id).filter(flow=flow)
        uid = read_text(request.GET, "inputs", UID_LENGTH)
        if uid:
            related = runs.select_related("environment_version__environment")
            offered.chosen = related.filter(uid=uid).first()
            offered.is_unknown = offered.chosen is None
        if offered.chosen is not None:
            offered.args = offered.chosen.args
            version = offered.chosen.environment_version
            offered.environment = version.environment.name if version else ""
        if flow.definition.inputs:
            newest = runs.order_by("-ordered_at", "-id")
            own = runs.filter(pk__in=newest.values("pk")[:NEWEST], created_by=request.user)
            mine = own.order_by("-ordered_at", "-id").only(*COLUMNS).first()
            last = newest.only(*COLUMNS).first()
            if mine is not None:
                offered.others.append(("Your last run", mine))
            if last is not None and last != mine:
                offered.others.append(("The last run", last))
        return offered
