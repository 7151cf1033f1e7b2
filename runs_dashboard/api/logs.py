"""Log entries of a run (seed 3): the list and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..filter_fields import is_uuid
from ..models import Role, find_line
from ..text.levels import LEVEL_NUMBERS
from .cursors import Page, seal
from .errors import NotThere
from .including import LOG_PARAMETERS, show_entries
from .log_pages import LogPages
from .operations import ApiView, Operation, answer
from .parameters import Parameter
from .representations import LogEntry

if TYPE_CHECKING:
    from django.http import HttpResponse
    from rest_framework.request import Request

    from ..models import Entry, Run, Step

MAX_LINE = 10**15
LIST_PARAMETERS = (
    Parameter("filter[flow_step_id]", about="A step's id in its flow (all its attempts), or one attempt's UUID."),
    Parameter("filter[level]", "words", "Levels, with commas.", default=(), choices=tuple(LEVEL_NUMBERS)),
    Parameter("filter[search]", about="A text within the message; the case of letters does not matter."),
    *LOG_PARAMETERS,
    Parameter("page", "whole", "From 1. Give it, `cursor`, `after` or `before`.", least=1),
    Parameter("per_page", "whole", "Items a page.", default=25, least=1, most=100),
    Parameter("after", "whole", "Entries above this line number.", least=0, most=MAX_LINE),
    Parameter("before", "whole", "The last entries below this line number.", least=0, most=MAX_LINE),
    Parameter("cursor", about="From an answer."),
)


def find_steps(run: Run, named: str | None) -> list[Step] | None:
    """The attempts that an id names: none of them is an empty list, no id is None."""
    if named is None:
        return None
    rows = run.steps.filter(uuid=named) if is_uuid(named) else run.steps.filter(slug=named)
    return list(rows.defer("outputs"))


class FlowRunLogsView(ApiView):
    """The list."""

    def get(self, request: Request, run_id: str) -> HttpResponse:
        run = self.find_run(run_id)
        steps = find_steps(run, self.query["filter[flow_step_id]"])
        if steps == []:
            return answer(Page([], 0, *_no_cursors(run)))
        pages = LogPages(run, steps=steps, levels=_levels(self.query), text=self.query["filter[search]"] or "")
        entries, page = pages.read(self.query)
        page.items = show_entries(run, entries, self.query)
        return answer(page)


class FlowRunLogView(ApiView):
    operations = {
        "get": Operation("Get Run Log", Role.VIEWER, parameters=LIST_PARAMETERS, answers={200: LogEntry}, errors=(404,))
    }

    def get(self, request: Request, run_id: str, log_id: str) -> HttpResponse:
        """By its id, or by its line number. Takes its list's filters too."""
        run = self.find_run(run_id)
        line = find_line(run.uid, log_id)
        steps = find_steps(run, self.query["filter[flow_step_id]"])
        if line is None or not 0 < line <= run.line_count or steps == []:
            raise NotThere
        found = LogPages(run, levels=_levels(self.query)).view.after(line - 1, limit=1, until=line)
        if not found or not self._matches(found[0], steps):
            raise NotThere
        return answer(show_entries(run, found, self.query)[0])

    def _matches(self, entry: Entry, steps: list[Step] | None) -> bool:
        if steps is not None and (entry.action, entry.attempt) not in {(s.slug, s.attempt) for s in steps}:
            return False
        text = self.query["filter[search]"]
        return not text or text.casefold() in entry.message.casefold()


def _levels(query: dict[str, Any]) -> frozenset[int]:
    return frozenset(LEVEL_NUMBERS[name] for name in query["filter[level]"])


def _no_cursors(run: Run) -> tuple[str, str, None, None]:
    empty = LogPages(run).scope
    return seal("a 0", empty), seal("b 1", empty), None, None
