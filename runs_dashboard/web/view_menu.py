"""The menu of saved views above the run list: which there are, which one is open, and whether it was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from ..models import Role, SavedView
from .run_question import ALL

if TYPE_CHECKING:
    from .access import MemberRequest
    from .run_question import RunQuestion

LIMIT = 60  # in the menu; the page of views has more


class ViewMenu:
    """open: the view that the address names, if the person can open it; is_changed: the list asks for something else.
    Looked up once, when somebody asks for it."""

    def __init__(self, request: MemberRequest, question: RunQuestion) -> None:
        self.question, self.membership = question, request.membership
        views = SavedView.objects.of(request.tenant).visible_to(request.user)
        self._views: list[SavedView] = list(views[: LIMIT + 1])
        self.has_more = len(self._views) > LIMIT
        self.shared = [view for view in self._views[:LIMIT] if view.is_shared]
        self.own = [view for view in self._views[:LIMIT] if not view.is_shared]
        self.first = self.membership.first_view_id
        self.open = self._find(views, question.looks.get("view", ""))
        self.is_changed = self.open is not None and self.open.query != question.plain_address
        self.may_change = self.open is not None and self.open.may_be_changed_by(self.membership)
        self.may_share = self.membership.may(Role.OPERATOR)

    @property
    def is_empty(self) -> bool:
        return not self._views

    def _find(self, views: object, wanted: str) -> SavedView | None:
        uuid = read_uuid(wanted)
        if uuid is None:
            return None
        known = next((view for view in self._views if view.uuid == uuid), None)
        return known or (views.filter(uuid=uuid).first() if self.has_more else None)


def read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def find_start(request: MemberRequest) -> str | None:
    """The query string that an address leads to which names a view and nothing else, or is bare; None for others."""
    names = set(request.GET)
    if names - {"view"}:
        return None
    views = SavedView.objects.of(request.tenant).visible_to(request.user)
    if names:
        uuid = read_uuid(request.GET["view"])
        view = views.filter(uuid=uuid).first() if uuid else None
        if view is None:
            return None if request.GET["view"] == ALL else f"view={ALL}"
    else:
        first = request.membership.first_view_id
        view = views.filter(pk=first).first() if first else None
        if view is None:
            return None
    here = f"view={view.uuid}"
    wanted = f"{view.query}&{here}" if view.query else here
    return wanted if wanted != request.META.get("QUERY_STRING") else None
