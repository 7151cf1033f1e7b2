"""What workers do with runs: claim, give back, end, and lose them. Every write carries the fencing token."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from .. import dispatch
from ..text.fingerprint import fingerprint
from .audit import REAPER, WORKER, Actor
from .flow import Flow
from .lease import lease_end
from .lifecycle import LIVE, LeaseLost, Status, StatusConflict, move

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from .run import Run

TOKENS_MAX = 5  # a claim and a loss each take one: a run that three workers did not survive is not given to a fourth
CANDIDATES = 4  # runs of a tenant that a claim looks at
ERROR_MAX = 8_000  # characters of a run's error; the whole text is in the log

# What executing a run takes, of its hundred columns; others are read when somebody asks for them.
WORK_FIELDS = (
    *("tenant_id", "uid", "status", "token", "started_at", "finished_at", "is_external", "environment_version_id"),
    *("args", "metrics", "ran_ms", "line_count", "log_bytes", "steps_done", "stop_requested_at"),
    *("depth", "parent_run_id", "end_user_id", "flow__tenant_id", "flow__slug", "flow__concurrency"),
    *("version__tenant_id", "version__definition"),
)


class WorkQuerySet(models.QuerySet):
    def claim(self, *, worker: str, only: int | None = None, waiting_for: float = 0.0) -> Run | None:
        """Takes the next waiting run for a worker, or None.

        The tenant with the fewest running runs is served first, within a tenant the longest waiting; a flow at its
        concurrency limit is passed over. only: the primary key that a message named; waiting_for: take only what has
        waited for so many seconds.
        """
        waiting = self.model.across_tenants.filter(status=Status.QUEUED, is_external=False)
        if waiting_for:
            waiting = waiting.filter(queued_at__lt=Now() - timedelta(seconds=waiting_for))
        if only is not None:
            return self._take(only, worker)
        for tenant in self._order_tenants(waiting):
            for pk in self._choose(waiting.filter(tenant_id=tenant)):
                run = self._take(pk, worker)
                if run is not None:
                    return run
        return None

    def _order_tenants(self, waiting: models.QuerySet) -> list[int]:
        tenants = list(waiting.order_by("tenant_id").values_list("tenant_id", flat=True).distinct())
        if len(tenants) > 1:
            running = self.model.across_tenants.filter(status=Status.RUNNING, is_external=False).order_by()
            busy = dict(running.values_list("tenant_id").annotate(n=models.Count("pk")))
            tenants.sort(key=lambda pk: busy.get(pk, 0))
        return tenants

    def _choose(self, waiting: models.QuerySet) -> list[int]:
        """A few of the longest waiting, those aside whose flow is at its limit."""
        rows = waiting.order_by("queued_at", "id").values_list("pk", "flow__concurrency")
        found = list(rows[:CANDIDATES])
        if any(limit is not None for _, limit in found):
            running = self.model.across_tenants.filter(status=Status.RUNNING, is_external=False).order_by()
            limited = running.filter(flow__concurrency__isnull=False).values("flow").annotate(n=models.Count("pk"))
            full = limited.filter(n__gte=models.F("flow__concurrency")).values("flow")
            found = list(rows.exclude(flow_id__in=full)[:CANDIDATES])
        return [pk for pk, _ in found]

    def _take(self, pk: int, worker: str) -> Run | None:
        now = timezone.now()
        with transaction.atomic():
            rows = self.model.across_tenants.select_for_update(of=("self",)).select_related("flow", "version")
            waiting = rows.filter(pk=pk, status=Status.QUEUED, is_external=False).only(*WORK_FIELDS)
            run: Run | None = next(iter(waiting), None)
            if run is None:
                return None  # another worker, or a stop, was first
            if run.flow.concurrency is not None:
                # Two claims of one flow must see each other: the flow's row is the door.
                Flow.across_tenants.select_for_update().get(pk=run.flow_id)
                running = self.model.across_tenants.filter(flow=run.flow, status=Status.RUNNING, is_external=False)
                if running.count() >= run.flow.concurrency:
                    return None
            begun: dict[str, Any] = {} if run.started_at else {"started_at": now, "ordered_at": now}
            return move(
                run,
                Status.RUNNING,
                by=WORKER,
                allowed=[Status.QUEUED],
                is_known=True,
                fence=run.token,
                action="run.claim",
                detail={"worker": worker},
                worker=worker,
                lease_until=lease_end(),
                token=run.token + 1,
                claimed_at=now,
                **begun,
            )

    def stop_requested(self, worker: str) -> dict[int, bool]:
        """Of the worker's runs those somebody wants stopped: primary key → is it forced."""
        rows = self.filter(worker=worker, status=Status.RUNNING, stop_requested_at__isnull=False)
        return dict(rows.values_list("pk", "is_stop_forced"))

    def silent(self) -> Any:
        """Reported runs whose engine has beaten once and then fallen silent."""
        return self.filter(silent_after__lt=Now(), status__in=LIVE)


class Workable(models.Model):
    """A run in a worker's hands."""

    class Meta:
        abstract = True

    def ring(self: Run) -> None:  # type: ignore[misc]
        """Tells the executors that the run waits, and open pages that it is there. Inside the transaction."""
        if not self.is_external:
            dispatch.ring(self.pk)
        dispatch.announce(self.pk)

    @contextmanager
    def held(self: Run, token: int) -> Iterator[None]:  # type: ignore[misc]
        """A transaction in which the worker's claim stands: the row is locked. Raises LeaseLost."""
        with transaction.atomic():
            rows = type(self).across_tenants.select_for_update().filter(pk=self.pk, token=token)
            if not rows.filter(status=Status.RUNNING).values_list("pk", flat=True).first():
                raise LeaseLost("The run is not this worker's any more.")
            yield

    def finish(  # type: ignore[misc]
        self: Run, status: Status, *, token: int, error: str = "", error_step: str = "", **fields: Any
    ) -> Run:
        """The worker's last word. Raises LeaseLost when the run is not this worker's any more."""
        if error:
            fields |= {
                "error": error[:ERROR_MAX],
                "error_step": error_step,
                "error_fingerprint": fingerprint(error),
            }
        with transaction.atomic():
            run = move(self, status, by=WORKER, allowed=[Status.RUNNING], fence=token, is_known=True, **fields)
            if status != Status.SUCCEEDED:
                run.close_steps(status)
        return run

    def pause(self: Run, *, token: int, until: datetime | None = None) -> Run:  # type: ignore[misc]
        """The worker lets go of a run that waits for a person. Raises LeaseLost."""
        ran = int((timezone.now() - self.claimed_at).total_seconds() * 1000) if self.claimed_at else 0
        return move(
            self,
            Status.PAUSED,
            by=WORKER,
            allowed=[Status.RUNNING],
            fence=token,
            worker="",
            lease_until=None,
            paused_until=until,
            ran_ms=models.F("ran_ms") + ran,
        )

    def give_back(self: Run, *, token: int, reason: str) -> Run:  # type: ignore[misc]
        """Back to the queue: the worker ends before it began with the run. Raises LeaseLost."""
        return move(
            self,
            Status.QUEUED,
            by=WORKER,
            allowed=[Status.RUNNING],
            fence=token,
            action="run.give_back",
            detail={"reason": reason},
            worker="",
            lease_until=None,
        )

    def lose(self: Run, *, reason: str, is_confirmed_dead: bool, by: Actor = REAPER) -> Run | None:  # type: ignore[misc]
        """The reaper's verb: the lease is over. Closes the run, or queues it again where its flow says so.

        is_confirmed_dead: nothing of the run is alive on its machine, as far as that can be known; only then may a
        run whose stop was requested be called stopped. Returns None when the worker came back or somebody was first.
        """
        self.refresh_from_db()
        error = f"Worker lost: {reason}"
        fields: dict[str, Any] = {"worker": "", "lease_until": None, "token": models.F("token") + 1}
        if self.stop_requested_at is not None:
            to = Status.STOPPED if is_confirmed_dead else Status.FAILED
            fields |= {"error": error}
        elif self.version.definition.get("on_worker_lost") == "queue" and self.token < TOKENS_MAX:
            to = Status.QUEUED
            fields |= {"queued_at": timezone.now()}
        else:
            to = Status.FAILED
        if to == Status.FAILED:
            fields |= {"error": error, "error_fingerprint": fingerprint(error)}
        try:
            with transaction.atomic():
                run = move(
                    self,
                    to,
                    by=by,
                    allowed=[Status.RUNNING],
                    fence=self.token,
                    where=models.Q(lease_until__lt=Now()),
                    action="run.worker_lost",
                    detail={"worker": self.worker, "reason": reason},
                    **fields,
                )
                run.close_steps(Status.FAILED if to == Status.QUEUED else to, error=error)
        except StatusConflict:
            return None
        for sub_run in run.sub_runs.filter(status__in=LIVE):
            try:
                sub_run.request_stop(by=by, reason=f"the worker of its parent {self.uid} was lost")
            except StatusConflict:
                continue  # it ended by itself meanwhile
        return run

    def close_steps(self: Run, status: str, error: str = "") -> None:  # type: ignore[misc]
        """Gives every step that is still open its run's end."""
        fields: dict[str, Any] = {"status": status, "finished_at": timezone.now()}
        if error:
            fields["error"] = error
        self.steps.filter(status__in=LIVE).update(**fields)

    finish.alters_data = pause.alters_data = give_back.alters_data = True  # type: ignore[attr-defined]
    lose.alters_data = close_steps.alters_data = ring.alters_data = True  # type: ignore[attr-defined]
