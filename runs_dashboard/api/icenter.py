"""Seed 0: counts of executions, and logs across runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from django.utils import timezone

from ..filter_fields import is_uuid
from ..filters import RunFilter
from ..models import Flow, Role, Run, Span, Step, User, look
from ..text.levels import LEVEL_NUMBERS
from . import representations as shapes
from .cursors import seal, unseal
from .errors import Invalid, NotThere
from .log_pages import newest_entries_of
from .operations import ApiView, Operation, answer
from .parameters import Parameter
from .run_pages import EPOCH

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse
    from rest_framework.request import Request

    from ..models import Entry, Tenant

GROUPS = ("user", "flow", "component")
LOGS_A_PAGE = 100
RUNS_A_PAGE = 50
ERRORS = frozenset({LEVEL_NUMBERS["error"], LEVEL_NUMBERS["critical"]})


class ExecutionCount(msgspec.Struct):
    """id: a user's number, a flow's id or a component's name; null for runs that nobody signed in started."""

    id: str | int | None
    name: str | None
    count: int


class Executions(msgspec.Struct):
    start: str
    end: str
    groupby: Literal["user", "flow", "component"]
    total: int
    counts: list[ExecutionCount]


class ExecutionsView(ApiView):
    operations = {
        "get": Operation(
            "Get Executions",
            Role.VIEWER,
            parameters=(
                Parameter("start", "day", "YYYY-MM-DD, inclusive; one month ago by default."),
                Parameter("end", "day", "YYYY-MM-DD, inclusive; today by default."),
                Parameter("groupby", about="By user, flow or component.", default="user", choices=GROUPS),
            ),
            answers={200: Executions},
        )
    }

    def get(self, request: Request) -> HttpResponse:
        today = timezone.now().date()
        end, start = self.query["end"] or today, self.query["start"]
        if start is not None and start > end:
            raise Invalid("The start lies after the end.", "query", "start")
        start = start or month_before(today)
        group = self.query["groupby"]
        counts = count_executions(self.tenant, group, start, end) if start <= end else []
        total = sum(count.count for count in counts)
        return answer(Executions(start.isoformat(), end.isoformat(), group, total, counts))


def month_before(day: date) -> date:
    """The same day of the month before, or that month's last."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=min(day.day, last.day))


def count_executions(tenant: Tenant, group: str, start: date, end: date) -> list[ExecutionCount]:
    """The highest first, from the roll-ups. Runs by their start; of components each attempt that was made."""
    begin = datetime.combine(start, time(), UTC)
    span = Span.between(begin, begin + (end - start)).longer(hours=24)
    found = {key: figures.runs for key, figures in look(tenant, span, lambda seen: seen.by(group, span)).items()}
    if group == "component":
        counts = [ExecutionCount(name or None, name or None, count) for name, count in found.items()]
    else:
        pks = [int(key) for key in found if key]
        names: dict[str, tuple[Any, str]]
        if group == "flow":
            flows = Flow.objects.of(tenant).filter(pk__in=pks).values_list("pk", "slug", "name")
            names = {str(pk): (slug, name or slug) for pk, slug, name in flows}
        else:
            users = User.objects.filter(pk__in=pks).values_list("pk", "username")
            names = {str(pk): (pk, name) for pk, name in users}
        nobody: tuple[Any, None] = (None, None)
        counts = [ExecutionCount(*names.get(key, nobody), count=count) for key, count in found.items()]
    return sorted(counts, key=lambda one: (-one.count, str(one.id or "")))


class FoundLog(shapes.LogEntry, rename="camel", kw_only=True):
    """A log entry, and where it comes from."""

    flow_run_id: str
    flow_id: str
    step_id: str | None


class FoundLogs(msgspec.Struct):
    logs: list[FoundLog]
    next: str | None


class LogsView(ApiView):
    operations = {
        "get": Operation(
            "Get Logs",
            Role.VIEWER,
            parameters=(
                Parameter("filter[tenant]", about="The tenant's id: the key's own.", is_required=True),
                Parameter("filter[flowId]", about="Of this flow."),
                Parameter("filter[stepId]", about="Of this step: its id in its flow, or one attempt's UUID."),
                Parameter("showErrors", "flag", "true: errors only.", default=False),
                Parameter("cursor", about="The `next` of an answer."),
            ),
            answers={200: FoundLogs},
            errors=(404,),
        )
    }

    def get(self, request: Request) -> HttpResponse:
        """The newest run's lines first, of each run the last line first."""
        if self.query["filter[tenant]"] not in (self.tenant.slug, str(self.tenant.uuid), str(self.tenant.pk)):
            raise NotThere
        scope = f"{self.tenant.pk}:logs"
        line: int | None = None
        rows = self.find_runs()
        if self.query["cursor"] is not None:
            micros, pk, before = map(int, unseal(self.query["cursor"], scope).split("."))
            rows = rows.before(EPOCH + timedelta(microseconds=micros), pk + 1)
            line = before
        runs = list(rows[: RUNS_A_PAGE + 1])
        found, last = self.collect(runs[:RUNS_A_PAGE], line)
        following = None
        if last is None and len(runs) > RUNS_A_PAGE:
            last = runs[RUNS_A_PAGE], runs[RUNS_A_PAGE].line_count + 1
        if last is not None:
            run, before = last
            micros = (run.ordered_at - EPOCH) // timedelta(microseconds=1)
            following = seal(f"{micros}.{run.pk}.{before}", scope)
        return answer(FoundLogs(found, following))

    def find_runs(self) -> QuerySet:
        flow, step = self.query["filter[flowId]"], self.query["filter[stepId]"]
        rows: Any = Run.objects.of(self.tenant).filter(line_count__gt=0)
        if self.query["showErrors"]:
            rows = rows.filter(error_count__gt=0)
        if step is not None:
            steps = Step.objects.of(self.tenant).filter(**{"uuid" if is_uuid(step) else "slug": step})
            rows = rows.filter(pk__in=steps.values("run_id"))
        if flow is not None:
            rows = RunFilter({"flow_id": flow}, queryset=rows, tenant=self.tenant).qs
        columns = ("uid", "ordered_at", "line_count", "flow__slug", "tenant_id")
        return rows.select_related("flow").only(*columns).order_by("-ordered_at", "-id")

    def collect(self, runs: list[Run], line: int | None) -> tuple[list[FoundLog], tuple[Run, int] | None]:
        """The entries of a page, and where the next one begins: a run, and the line before which to read on."""
        levels = ERRORS if self.query["showErrors"] else frozenset()
        entries = newest_entries_of(runs, levels=levels, step=self.query["filter[stepId]"], before=line)
        found: list[FoundLog] = []
        for run in runs:
            of_run, is_all, lowest = entries.get(run.pk, ([], True, 0))
            room = LOGS_A_PAGE - len(found)
            found += [show_found(run, entry) for entry in islice(of_run, room)]
            if len(of_run) > room:
                return found, (run, of_run[room - 1].line if room else (line or run.line_count + 1))
            if not is_all:
                return found, (run, lowest)
            line = None
        return found, None


def show_found(run: Run, entry: Entry) -> FoundLog:
    shown = shapes.show_entry(run.uid, entry)
    return FoundLog(
        id=shown.id,
        line=shown.line,
        timestamp=shown.timestamp,
        level=shown.level,
        message=shown.message,
        action=shown.action,
        stream=shown.stream,
        system=shown.system,
        flow_run_id=run.uid,
        flow_id=run.flow.slug,
        step_id=entry.action,
    )
