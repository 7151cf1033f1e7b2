"""Runs that somebody else's engine executes and reports here, in whatever order its messages arrive.

A final status never changes. An older report that comes late is taken for what it adds (times, steps, lines, keys)
and ignored for what is over. The same report twice leaves the same run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from .. import dispatch
from ..text.fingerprint import fingerprint
from ..text.intake import clean
from .audit import Actor, AuditEntry
from .lifecycle import FINAL, LIVE, Status, StatusConflict, move
from .log import APPEND_GRACE, LogClosed, append_parts, seal
from .step import Step
from .storage import mark_run
from .tracked import EndUser, LogMetadata, Payload
from .working import ERROR_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from ..text.intake import Line
    from .environment import EnvironmentVersion
    from .flow import Flow
    from .run import Run

RANK = {Status.QUEUED: 0, Status.RUNNING: 1, Status.PAUSED: 1, **dict.fromkeys(FINAL, 2)}
METRIC_COLUMNS = {
    **dict.fromkeys(("cpuTime", "cpu_time"), "cpu_ms"),
    **dict.fromkeys(("payloadSize", "payload_size"), "payload_bytes"),
    **dict.fromkeys(("operationsSent", "operations_sent"), "operations_sent"),
    **dict.fromkeys(("operationsReceived", "operations_received"), "operations_received"),
    **dict.fromkeys(("totalTokens", "total_tokens", "tokens"), "total_tokens"),
}
COUNTER_MAX = 2**53
MAX_DEPTH = 32  # runs below runs
SEAL_AT_ONCE = 4 * 2**20  # bytes of a log that the request of its last report may merge


@dataclass
class StepReport:
    """What is reported of one attempt of one step; None: not said. attempt None: the newest one there is, or 1."""

    slug: str
    phase: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    name: str | None = None
    component: str | None = None
    attempt: int | None = None
    error: str | None = None


class ReportedLine(msgspec.Struct, gc=False):
    """A line on its way in: `line.metadata` and payloads are kept beside it. action: its step's id."""

    line: Line
    action: str | None = None
    payloads: list[dict[str, Any]] | None = None


@dataclass
class Report:
    """What an engine says of a run; None: not said.

    lines: the whole log so far, what is there already is not appended again; columns: further columns of the run.
    """

    phase: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    steps: list[StepReport] = field(default_factory=list)
    lines: list[ReportedLine] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    tracked: list[tuple[str, str]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    end_user: tuple[str, str, bool] | None = None
    environment_version: EnvironmentVersion | None = None
    parent_run: Run | None = None
    columns: dict[str, Any] = field(default_factory=dict)


class Reportable(models.Model):
    """How a run is reported."""

    class Meta:
        abstract = True

    @classmethod
    def report_new(cls, *, flow: Flow, uid: str, by: Actor, report: Report) -> Run:
        """The run that an engine names for the first time. Raises UidTaken, FlowDisabled."""
        from .flow import FlowDisabled
        from .run import Run

        if not flow.is_enabled or flow.latest is None:
            raise FlowDisabled(f"The flow {flow.slug} is switched off.")
        with transaction.atomic():
            run = Run.enqueue(
                flow=flow,
                version=flow.latest,
                args=report.columns.get("args", {}),
                trigger="external",
                by=by,
                uid=uid,
                parent_run=report.parent_run,
                is_external=True,
            )
            return run.take_report(report, by=by)

    def take_report(self: Run, report: Report, *, by: Actor) -> Run:  # type: ignore[misc]
        """The run with what the report adds. Raises StatusConflict: another end is known, or the product runs it."""
        with transaction.atomic():
            self._lock_reported()
            mark_run(self)
            self._report_columns(report, by)
            self.tag(report.tags)
            self.track(report.tracked)
            if report.steps:
                self._report_steps(report.steps)
            if report.lines and len(report.lines) > (known := self._count_reported()):
                self._append(report.lines[known:])
            self._report_phase(report, by)
            dispatch.announce(self.pk)
            self.refresh_from_db()
            mark_run(self)
        if self.is_final and self.log_bytes <= SEAL_AT_ONCE:
            for step in (None, *self.steps.all()):
                seal(self, step)
        return self

    def report_step(self: Run, report: StepReport, *, by: Actor) -> Step:  # type: ignore[misc]
        """One step's report. Raises StatusConflict."""
        with transaction.atomic():
            self._lock_reported()
            (step,) = self._report_steps([report])
            dispatch.announce(self.pk)
        return step

    def append_reported(self: Run, lines: list[ReportedLine]) -> int:  # type: ignore[misc]
        """Appends an engine's lines; the number of the last one. Raises LogClosed."""
        if not self.is_external:
            raise LogClosed("The product executes this run itself: it takes no reports.", self.status)
        if self.is_final and not self._has_just_ended():
            raise LogClosed("The run has ended: its log takes no more lines.", self.status)
        with transaction.atomic():
            mark_run(self)
            return self._append(lines)

    def _has_just_ended(self: Run) -> bool:  # type: ignore[misc]
        """Whether lines may be under way: since its end, or since the engine told of an end that it dates back."""
        since = timezone.now() - APPEND_GRACE
        if self.finished_at is None or self.finished_at > since:
            return True
        return self.audit.filter(to_status__in=FINAL, at__gt=since).exists()

    def add_keys(self: Run, *, tags: dict[str, str], tracked: list[tuple[str, str]], by: Actor) -> None:  # type: ignore[misc]
        """Tags and tracked data that somebody adds to a run, whoever executes it."""
        if tags or tracked:
            with transaction.atomic():
                self.tag(tags)
                self.track(tracked)
                AuditEntry.record("run.edit", self, by=by, run=self, tags=tags, tracked=tracked)

    def keep_alive(self: Run) -> bool:  # type: ignore[misc]
        """An engine's heartbeat: moves the end of its silence. Returns whether it is to stop. Raises StatusConflict."""
        if not self.is_external:
            raise StatusConflict("The product executes this run itself: it takes no heartbeat.", self.status)
        seconds = self.flow.heartbeat_timeout
        if seconds:
            rows = type(self).across_tenants.filter(pk=self.pk, status__in=LIVE)
            rows.update(silent_after=Now() + timedelta(seconds=seconds))
        self.refresh_from_db(fields=["status", "stop_requested_at"])
        return self.is_final or self.stop_requested_at is not None

    report_new.alters_data = take_report.alters_data = True  # type: ignore[attr-defined]
    report_step.alters_data = append_reported.alters_data = True  # type: ignore[attr-defined]

    keep_alive.alters_data = add_keys.alters_data = True  # type: ignore[attr-defined]

    # --- the parts of a report ------------------------------------------------------------------------------------

    def _lock_reported(self: Run) -> None:  # type: ignore[misc]
        """Reads the run afresh under its lock: two reports at once are taken one after the other."""
        self.refresh_from_db(from_queryset=type(self).across_tenants.select_for_update())
        if not self.is_external:
            raise StatusConflict("The product executes this run itself: it takes no reports.", self.status)

    def _count_reported(self: Run) -> int:  # type: ignore[misc]
        """The lines of its log without those in which the product told that it asked for this retry."""
        from .retry_call import RetryCall

        if self.trigger != "retry":
            return self.line_count
        notes = RetryCall.across_tenants.filter(run=self).values_list("note_count", flat=True).first()
        return self.line_count - (notes or 0)

    def _report_columns(self: Run, report: Report, by: Actor) -> None:  # type: ignore[misc]
        changes: dict[str, Any] = {**report.columns, "updated_at": timezone.now(), "updated_by": by.user}
        if report.started_at is not None:
            changes |= {"started_at": report.started_at, "ordered_at": report.started_at}
        if report.error is not None:
            changes |= {"error": clean(report.error)[:ERROR_MAX], "error_fingerprint": fingerprint(report.error)}
        if report.finished_at is not None and report.phase in (None, *FINAL):
            if report.phase is None and not self.is_final:
                raise StatusConflict("An end time needs a final phase: the run has not ended.", self.status)
            if self.is_final:
                changes["finished_at"] = report.finished_at
        others = {}
        for name, value in report.metrics.items():
            if name in METRIC_COLUMNS:
                changes[METRIC_COLUMNS[name]] = int(min(max(value, 0), COUNTER_MAX))
            else:
                others[name] = value
        if others:
            changes["metrics"] = {**self.metrics, **others}
        if report.end_user is not None:
            kind, session, is_anonymous = report.end_user
            changes["end_user"] = EndUser.of(self.tenant_id, kind, session, is_anonymous=is_anonymous)
        if report.environment_version is not None:
            changes["environment_version"] = report.environment_version
        if report.parent_run is not None:
            self._refuse_loop(report.parent_run)
            changes |= {"parent_run": report.parent_run, "depth": report.parent_run.depth + 1}
        type(self).across_tenants.filter(pk=self.pk).update(**changes)

    def _refuse_loop(self: Run, parent: Run | None) -> None:  # type: ignore[misc]
        """A run is nobody's child that descends from it: a stop goes down from parent to child."""
        for _ in range(MAX_DEPTH):
            if parent is None:
                return
            if parent.pk == self.pk:
                raise StatusConflict("The run would be its own parent.", self.status)
            parent = parent.parent_run
        raise StatusConflict(f"Sub-runs go at most {MAX_DEPTH} deep.", self.status)

    def _report_phase(self: Run, report: Report, by: Actor) -> None:  # type: ignore[misc]
        if report.phase is None:
            return
        phase = Status(report.phase)
        if self.status in FINAL:
            if phase in FINAL and phase != self.status:
                raise StatusConflict(f"The run has {self.status} already: its end never changes.", self.status)
            return
        if phase == self.status or RANK[phase] < RANK[Status(self.status)]:
            return
        now = timezone.now()
        fields: dict[str, Any] = {}
        if phase == Status.RUNNING and self.started_at is None and report.started_at is None:
            fields |= {"started_at": now, "ordered_at": now}
        if self.status == Status.PAUSED and phase == Status.RUNNING:
            fields["resumed_at"] = now
        if phase in FINAL:
            fields |= {"finished_at": report.finished_at or now, "silent_after": None}
        move(self, phase, by=by, action="run.report", **fields)
        if phase in FINAL:
            # Closed with the run's own end: a step's own report may still correct it.
            self.steps.filter(status__in=LIVE).update(status=phase, finished_at=self.finished_at)

    def _report_steps(self: Run, reports: list[StepReport]) -> list[Step]:  # type: ignore[misc]
        known = {(step.slug, step.attempt): step for step in self.steps.order_by("attempt")}
        newest = dict(known.keys())
        positions = {step.slug: step.position for step in known.values()}
        taken = []
        for report in reports:
            attempt = report.attempt or newest.get(report.slug, 1)
            step = known.get((report.slug, attempt))
            if step is None:
                position = positions.setdefault(report.slug, len(positions))
                step = Step(tenant_id=self.tenant_id, run=self, slug=report.slug, attempt=attempt, position=position)
                known[report.slug, attempt] = step
                newest[report.slug] = max(attempt, newest.get(report.slug, 1))
            self._take_step(step, report)
            step.save()
            taken.append(step)
        done = {step.slug for step in known.values() if step.status == Status.SUCCEEDED}
        type(self).across_tenants.filter(pk=self.pk).update(step_count=len(positions), steps_done=len(done))
        return taken

    def _take_step(self: Run, step: Step, report: StepReport) -> None:  # type: ignore[misc]
        for name in ("started_at", "name", "component", "error"):
            value = getattr(report, name)
            if value is not None:
                setattr(step, name, clean(value) if isinstance(value, str) else value)
        was_closed_by_run = self.is_final and step.finished_at == self.finished_at
        if report.phase is not None and (step.status in LIVE or was_closed_by_run):
            phase = Status(report.phase)
            if RANK[phase] >= RANK[Status(step.status)]:
                step.status = phase
                if phase in FINAL:
                    step.finished_at = report.finished_at or timezone.now()
        elif report.phase in FINAL and report.phase != step.status:
            raise StatusConflict(f"Step {step.slug} has {step.status} already: its end never changes.", step.status)
        if step.status == Status.RUNNING and step.started_at is None:
            step.started_at = timezone.now()
        if step.status in FINAL and report.finished_at is not None:
            step.finished_at = report.finished_at
        if self.is_final and step.status in LIVE:  # it came behind the run's end
            step.status, step.finished_at = Status(self.status), self.finished_at

    def _append(self: Run, lines: list[ReportedLine]) -> int:  # type: ignore[misc]
        """Lines as they come, a chunk for each stretch of one step; metadata and payloads beside them."""
        if self.log_bytes > settings.LOG_MAX_BYTES:
            raise LogClosed(f"The run's log has reached {settings.LOG_MAX_BYTES:,} bytes.", self.status)
        slugs = {line.action for line in lines if line.action}
        steps: dict[str, Step] = {}
        if slugs:
            known = Step.across_tenants.filter(run=self, slug__in=slugs).only("slug").order_by("attempt")
            steps = {step.slug: step for step in known}
        missing = [
            StepReport(slug, phase=Status.RUNNING)
            for slug in dict.fromkeys(line.action for line in lines if line.action and line.action not in steps)
        ]
        if missing:
            self._lock_reported()
            steps |= {step.slug: step for step in self._report_steps(missing)}
        parts: list[tuple[Step | None, list[Line]]] = []
        previous: str | None = None
        for line in lines:
            if not parts or line.action != previous:
                parts.append((steps.get(line.action or ""), []))
                previous = line.action
            parts[-1][1].append(line.line)
        last = append_parts(self, parts)
        first = last - len(lines) + 1
        tenant = self.tenant_id
        metadata = [
            LogMetadata(tenant_id=tenant, run=self, line=first + place, data=line.line.metadata)
            for place, line in enumerate(lines)
            if line.line.metadata
        ]
        payloads = [
            Payload(tenant_id=tenant, run=self, step=steps.get(line.action or ""), line=first + place, **payload)
            for place, line in enumerate(lines)
            for payload in line.payloads or ()
        ]
        if metadata:
            LogMetadata.across_tenants.bulk_create(metadata)
        if payloads:
            Payload.across_tenants.bulk_create(payloads)
        return last
