"""Writes a made-up history: finished runs with steps, logs and all that hangs on them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from django.db import transaction
from uuid_utils import UUID

from ..models import AuditEntry, Run, RunTag, Step, TrackedData, fold_all, fold_failures
from ..models.log import LogChunk
from ..text.fingerprint import fingerprint
from .bulk import Bulk, flush_all, moment, prepare_to_write, reserve
from .history_plan import HOUR_MS, Plan, make_plan, step_times
from .synthetic_log import Chunk, print_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .company import Company

BATCH = 1_000  # runs a transaction: other writers wait for one of them at most
FOLDED = 20 * BATCH  # changes of failures at once: all
LINE_SPREAD = 0.6
RUN_COLUMNS = (
    *("id", "tenant_id", "uid", "flow_id", "version_id", "environment_version_id", "status", "trigger"),
    *("created_at", "queued_at", "started_at", "finished_at", "updated_at", "ordered_at", "claimed_at"),
    *("created_by_id", "created_by_key_id", "updated_by_id", "end_user_id", "reviewed_by_id", "reviewed_at"),
    *("args", "outputs", "error", "error_step", "error_line", "error_fingerprint", "conversation_id", "llms"),
    *("line_count", "log_bytes", "warning_count", "error_count", "has_warnings", "step_count", "steps_done"),
    *("cpu_ms", "payload_bytes", "operations_sent", "operations_received", "total_tokens", "metrics"),
    *("retried_run_id", "is_retried", "attempt", "resolved_run_id", "resolved_at"),
    *("parent_run_id", "parent_step", "depth"),
    *("stop_requested_at", "stop_requested_by", "stop_reason", "stop_ladder"),
)
STEP_COLUMNS = (
    *("id", "tenant_id", "uuid", "run_id", "slug", "name", "component", "position", "attempt", "status"),
    *("created_at", "started_at", "finished_at", "exit_code", "error", "outputs"),
    *("line_count", "warning_count", "error_count", "cpu_ms"),
)
CHUNK_COLUMNS = (
    *("tenant_id", "run_id", "step_id", "first_line", "line_count", "first_at", "last_at", "level_mask"),
    *("stream_mask", "byte_size", "is_sealed", "body"),
)
AUDIT_COLUMNS = (
    *("tenant_id", "at", "action", "actor_id", "key_id", "actor_name", "address", "run_id"),
    *("object_type", "object_id", "from_status", "to_status", "detail"),
)


class History:
    """Runs of a company, made and written batch by batch; memory holds the plan and one batch."""

    def __init__(self, company: Company, *, lines: int) -> None:
        self.company, self.lines = company, lines
        self.tenant = company.tenant.pk
        self.runs = Bulk(Run, *RUN_COLUMNS)
        self.steps = Bulk(Step, *STEP_COLUMNS)
        self.chunks = Bulk(LogChunk, *CHUNK_COLUMNS)
        self.tags = Bulk(RunTag, "tenant_id", "run_id", "key", "value")
        self.tracked = Bulk(TrackedData, "tenant_id", "uuid", "run_id", "key", "value")
        self.audit = Bulk(AuditEntry, *AUDIT_COLUMNS)
        self.tables = [self.runs, self.steps, self.chunks, self.tags, self.tracked, self.audit]
        self.line_total = 0

    def name(self, plan: Sequence[Plan]) -> None:
        """Gives the planned runs their ids."""
        for one in plan:
            one.uid = make_uid(one.start, one.seed)

    def write(self, plan: Sequence[Plan], *, tell: Callable[[int], None]) -> None:
        """Writes all planned runs, which have their ids; tell is given how many are written."""
        prepare_to_write()
        first = reserve(Run, len(plan))
        volumes = [self.company.habits[one.habit].volume for one in plan]
        usual = self.lines * len(plan) / sum(volumes) if plan else 0.0
        for number, one in enumerate(plan):
            one.pk = first + number
        for begin in range(0, len(plan), BATCH):
            batch = plan[begin : begin + BATCH]
            with transaction.atomic():
                step_pk = reserve(Step, sum(2 * len(self.company.habits[one.habit].steps) for one in batch))
                for one in batch:
                    step_pk = _RunWriter(self, one).write(usual, step_pk)
                flush_all(self.tables)
            fold_all()
            fold_failures(FOLDED)
            tell(begin + len(batch))


class _RunWriter:
    """One run and its rows."""

    def __init__(self, history: History, plan: Plan) -> None:
        self.history, self.plan = history, plan
        self.company = history.company
        self.habit = self.company.habits[plan.habit]
        self.random = Random(plan.seed + 1)  # noqa: S311
        self.line = self.size = self.warnings = self.errors = self.done = self.cpu = 0
        self.error = ""
        self.error_line: int | None = None

    def write(self, usual_lines: float, step_pk: int) -> int:
        """Puts the rows into the tables; returns the next free key of a step."""
        plan, habit, random = self.plan, self.habit, self.random
        if plan.status == "failed":
            text = habit.errors[plan.error % len(habit.errors)]
            self.error = text % (random.randrange(9, 90_000), random.randrange(2, 90))
        about = usual_lines * habit.volume * random.lognormvariate(-(LINE_SPREAD**2) / 2, LINE_SPREAD)
        share = about / len(habit.steps)
        at = plan.start
        for position, took in enumerate(step_times(self.company.habits, plan)):
            is_last = position == plan.failed_at
            is_called = bool(habit.calls) and position == len(habit.steps) - 1
            attempts = 2 if is_last and plan.status == "failed" and not is_called else 1
            for attempt in range(1, attempts + 1):
                status = plan.status if is_last else "succeeded"
                count = 0 if is_called else int(share / attempts + random.random())
                part = took // attempts
                self._write_step(step_pk, position, attempt, status, at, part, count)
                step_pk += 1
                at += part
        self._write_run(at)
        self._write_beside(at)
        self.history.line_total += self.line
        return step_pk

    def _write_step(self, pk: int, position: int, attempt: int, status: str, at: int, took: int, count: int) -> None:
        plan, random, tenant = self.plan, self.random, self.history.tenant
        definition = self.company.definitions[plan.habit].steps[position]
        error = self.error if status == "failed" else ""
        lines = warnings = errors = 0
        for chunk in print_lines(
            random, self.habit, first=self.line + 1, count=count, start=at, took=took, error=error
        ):
            self.history.chunks.rows.append(chunk_row(tenant, plan.pk, pk, chunk))
            lines, warnings, errors = lines + chunk.count, warnings + chunk.warnings, errors + chunk.errors
            self.size += chunk.size
        self.line += lines
        self.warnings += warnings
        self.errors += errors
        if error and lines:
            self.error_line = self.line
        cpu = int(took * random.random() * 0.6)
        self.cpu += cpu
        self.done += status == "succeeded"
        outputs: dict[str, Any] = {}
        if status == "succeeded":
            outputs = {"run_id": plan.child.uid} if plan.child and definition.component == "flow" else {}
            outputs = outputs or {"records": random.randrange(1, 5_000)}
        code = 1 if error else 0 if status == "succeeded" else None
        self.history.steps.rows.append(
            (
                *(pk, tenant, random.getrandbits(128), plan.pk, definition.id, definition.name, definition.component),
                *(position, attempt, status, at, at, at + took, code, f"{error} (exit code 1)" if error else ""),
                *(outputs, lines, warnings, errors, cpu),
            )
        )

    def _write_run(self, end: int) -> None:
        plan, habit, random, company = self.plan, self.habit, self.random, self.company
        queued = plan.start - random.randrange(15, 250)
        error = f"{self.error} (exit code 1)" if self.error else ""
        failed_step = list(habit.steps)[plan.failed_at] if error else ""
        user, key = self._find_starter()
        reviewer, reviewed_at = None, None
        if plan.status == "failed" and random.random() < 0.4:
            reviewer, reviewed_at = random.choice(company.users).pk, end + int(random.random() * 8 * HOUR_MS)
            if reviewed_at >= company.end:
                reviewer = reviewed_at = None
        self.reviewer, self.reviewed_at = reviewer, reviewed_at
        about = Random(plan.subject)  # noqa: S311
        args: dict[str, Any] = {}
        if habit.is_about_orders:
            args = {"order_id": str(10_000 + about.randrange(90_000)), "customer": f"c{about.randrange(4_000):04d}"}
        self.args = args
        talks = habit.has_end_users
        end_user = company.end_users[about.randrange(len(company.end_users))] if talks else None
        tokens = random.randrange(400, 9_000) if habit.slug.startswith("support-") else 0
        stop_at = end - 300 if plan.status == "stopped" else None
        ladder = [{"stage": "signal", "at": text_of(end - 290)}, {"stage": "confirmed", "at": text_of(end)}]
        depth = 1 if plan.parent else 0
        parent_step = list(company.habits[plan.parent.habit].steps)[-1] if plan.parent else ""
        environment = company.environments[about.random() < 0.12]
        self.history.runs.rows.append(
            (
                *(plan.pk, self.history.tenant, plan.uid, company.flows[plan.habit].pk),
                *(company.versions[plan.habit].pk, environment, plan.status, self.trigger),
                *(queued, queued, plan.start, end, reviewed_at or end, plan.start, plan.start),
                *(user and user.pk, key and key.pk, None, end_user, reviewer, reviewed_at),
                *(args, {"records": random.randrange(1, 5_000)} if plan.status == "succeeded" else {}),
                *(error, failed_step, self.error_line, fingerprint(error) if error else ""),
                *(f"chat-{plan.subject:012x}" if talks else "", ["answer-large"] if tokens else None),
                *(self.line, self.size, self.warnings, self.errors, self.warnings > 0, len(habit.steps), self.done),
                *(self.cpu, random.randrange(200, 90_000), random.randrange(40), random.randrange(400), tokens, {}),
                *(plan.retries and plan.retries.pk, plan.is_retried, plan.attempt, *self._find_resolution()),
                *(plan.parent and plan.parent.pk, parent_step, depth),
                *(stop_at, random.choice(company.users).display_name if stop_at else ""),
                *("no longer needed" if stop_at else "", ladder if stop_at else []),
            )
        )

    def _find_resolution(self) -> tuple[int | None, int | None]:
        """The retry that made a failed run good, or its parent, and when that succeeded."""
        plan: Plan | None = self.plan
        if self.plan.status != "failed":
            return None, None
        while plan is not None and plan.resolved_by is None:
            plan = plan.parent
        if plan is None or plan.resolved_by is None:
            return None, None
        by = plan.resolved_by
        return by.pk, by.start + sum(step_times(self.company.habits, by))

    def _find_starter(self) -> tuple[Any, Any]:
        """Who started the run: (user, key). Sets `trigger`."""
        random, company, plan = self.random, self.company, self.plan
        self.user = self.key = None
        if plan.retries is not None:
            self.trigger = "retry"
            self.user = random.choice(company.users)
        elif plan.parent is not None:
            self.trigger = "flow"
        else:
            triggers = self.habit.triggers
            self.trigger = random.choices(list(triggers), list(triggers.values()))[0]
            if self.trigger == "manual":
                self.user = random.choice(company.users)
            elif self.trigger in ("api", "webhook"):
                self.user, self.key = company.key.user, company.key
        return self.user, self.key

    def _write_beside(self, end: int) -> None:
        """Tags, tracked data, and the acts of people."""
        plan, random, history = self.plan, self.random, self.history
        region = ("eu", "us", "apac")[plan.subject % 3]
        for key, value in (("team", self.habit.team), ("region", region)):
            history.tags.rows.append((history.tenant, plan.pk, key, value))
        for key, value in self.args.items():
            history.tracked.rows.append((history.tenant, random.getrandbits(128), plan.pk, key, value))
        if self.user is not None:
            self._act(plan.start, f"run.{'retry' if self.trigger == 'retry' else 'start'}", self.user, self.key)
        if plan.status == "stopped":
            self._act(end - 300, "run.stop", random.choice(self.company.users), None)
        self._act(end, f"run.{plan.status}", None, None, change=("running", plan.status))
        if self.reviewed_at is not None:
            reviewer = next(user for user in self.company.users if user.pk == self.reviewer)
            self._act(self.reviewed_at, "run.review", reviewer, None)

    def _act(self, at: int, action: str, user: Any, key: Any, *, change: tuple[str, str] = ("", "")) -> None:
        name = "worker" if user is None else user.display_name + (f", key {key.name}" if key else "")
        address = None if user is None else "192.0.2.10"
        self.history.audit.rows.append(
            (
                *(self.history.tenant, at, action, user and user.pk, key and key.pk, name, address, self.plan.pk),
                *("run", self.plan.uid, *change, {}),
            )
        )


def chunk_row(tenant: int, run: int, step: int, chunk: Chunk) -> tuple[Any, ...]:
    """A chunk as a row of CHUNK_COLUMNS."""
    return (
        *(tenant, run, step, chunk.first, chunk.count, chunk.at, chunk.last_at, chunk.mask),
        *(chunk.streams, chunk.size, True, chunk.body),
    )


def text_of(at: int) -> str:
    """Unix milliseconds as ISO 8601."""
    return moment(at).isoformat(timespec="milliseconds")


def make_uid(at: int, seed: int) -> str:
    """A time-ordered UUID (RFC 9562 version 7) of a time in Unix ms; its random bits come from the seed."""
    low = Random(seed).getrandbits(74)  # noqa: S311
    number = (at & (1 << 48) - 1) << 80 | 7 << 76 | (low >> 62) << 64 | 2 << 62 | low & (1 << 62) - 1
    return str(UUID(int=number))


def plan_for(company: Company, *, runs: int, seed: int) -> list[Plan]:
    """The runs of a company's whole period."""
    return make_plan(company.habits, runs=runs, start=company.start, end=company.end, seed=seed)
