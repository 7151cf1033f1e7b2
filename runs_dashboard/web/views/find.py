"""Find in a run's whole log: one piece of the way a request, for the script; or the way to a hit, without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from ...models import Role, find_in_log
from ...text.clean import clean
from ..access import find_run, needs
from ..log_window import CONTEXT, LogQuery

if TYPE_CHECKING:
    from django.http import HttpResponse, QueryDict

    from ...models import FindPage, Run
    from ..access import MemberRequest

TEXT_LENGTH = 500
PATIENCE = 5.0  # seconds, where no script goes on by itself


@dataclass(frozen=True)
class FindQuery:
    """What is looked for in which part of the log. log: its step and level, and the lines between which to look."""

    text: str
    is_case_sensitive: bool
    is_whole_word: bool
    exclude: str
    log: LogQuery

    @classmethod
    def read(cls, params: QueryDict) -> FindQuery:
        return cls(
            clean(params.get("text", ""))[:TEXT_LENGTH],
            bool(params.get("case")),
            bool(params.get("word")),
            clean(params.get("exclude", ""))[:TEXT_LENGTH],
            LogQuery.read(params),
        )

    def look(self, run: Run, **place: Any) -> FindPage:
        """As find_in_log, up to the first hit. Raises ValueError if there is no text."""
        return find_in_log(
            self.log.view(run),
            self.text,
            is_case_sensitive=self.is_case_sensitive,
            is_whole_word=self.is_whole_word,
            exclude=self.exclude,
            limit=1,
            **place,
        )

    def address(self, run: Run, place: str, **params: int) -> str:
        """The run's page with this text in its find box."""
        asked = {
            **self.log.part(),
            "find": self.text,
            "case": "1" if self.is_case_sensitive else "",
            "word": "1" if self.is_whole_word else "",
            "exclude": self.exclude,
        }
        kept = {name: value for name, value in asked.items() if value}
        return f"{reverse('run_detail', args=[run.uid])}?{urlencode({**kept, **params})}#{place}"


@require_GET
@needs(Role.VIEWER)
def run_find(request: MemberRequest, uid: str) -> HttpResponse:
    """JSON for who asks for it: the first hit after or before a line, or, with `count`, the number of hits so far.

    A form without scripts is led to the page of the hit instead: the next after `at`, or with `back` the one before.
    """
    run = find_run(request, uid)
    query = FindQuery.read(request.GET)
    wants_page = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
    response = HttpResponseRedirect(_lead(request, run, query)) if wants_page else _tell(request, run, query)
    patch_vary_headers(response, ["Accept"])
    return response


def _tell(request: MemberRequest, run: Run, query: FindQuery) -> JsonResponse:
    is_counting = bool(request.GET.get("count"))
    after, before = query.log.after or 0, query.log.before
    try:
        page = query.look(
            run,
            after=after,
            before=before,
            is_backward=before is not None and not is_counting,
            is_counting=is_counting,
        )
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse(
        {
            "line": page.lines[0] if page.lines else None,
            "count": page.count,
            "searched_to": page.searched_to_line,
            "is_complete": page.is_complete,
            "line_count": run.line_count,
        }
    )


def _lead(request: MemberRequest, run: Run, query: FindQuery) -> str:
    """The address of the next hit; past the last one the first, as an editor does."""
    if not query.text:
        return f"{reverse('run_detail', args=[run.uid])}{query.log.query()}#log"
    text = request.GET.get("at", "")
    at = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    is_backward = bool(request.GET.get("back"))
    if is_backward:
        ways: list[dict[str, int | None]] = [{"before": at}, {"before": None, "after": at - 1}] if at else [{}]
    else:
        ways = [{"after": at}, {"after": 0, "before": at + 1}] if at else [{}]
    for way in ways:
        page = query.look(run, is_backward=is_backward, budget_seconds=PATIENCE, **way)
        if page.lines:
            line = page.lines[0]
            return query.address(run, f"L{line}", **{"from": max(1, line - CONTEXT), "hit": line})
        if not page.is_complete:
            return query.address(run, "log", looked=page.searched_to_line, hit=0)
    return query.address(run, "log", hit=0)
