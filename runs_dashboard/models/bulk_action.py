"""Bulk: one act on many runs. The set is fixed when it is asked for, worked off run by run, each with its outcome.

An act on a run, its outcome and the counters are one transaction under the row's lock. So a worker that is killed
leaves nothing half done, another goes on at once, and no run is acted on twice; no lease is needed.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import InterfaceError, OperationalError, models, transaction
from django.utils import timezone

from ..definition.inputs import InputError
from ..text.clean import clean
from ..text.run_query import tidy, write
from .audit import Actor, AuditEntry
from .bulk_acts import ACTS, BulkRetry
from .bulk_result import BulkResult, Outcome
from .flow import FlowDisabled
from .lifecycle import StatusConflict, measure_ms
from .run import Run
from .tenant import TenantQuerySet, TenantRow, delete_in_batches, tenant_managers
from .user import Membership, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .bulk_result import Outcomes
    from .run_set import RunQuerySet
    from .tenant import Tenant

MOST_RUNS = 10_000  # of one action
USUAL_PER_SECOND, MOST_PER_SECOND = 5, 50  # retries: each puts a run into the queue
CATCH_UP = timedelta(seconds=1)  # of the pace that is made good after a delay
IN_HAND = timedelta(seconds=60)  # workers leave an action alone whose asker works on it, and take it up after that
KEEP_DAYS = 90  # of an action that is over, with its outcomes
SLICE_SECONDS = 0.05  # in one transaction
SOME = 500  # ids that one statement asks for
NO_RUN = "There is no such run."
AWAY = (OperationalError, InterfaceError)

logger = logging.getLogger(__name__)


class BulkRefused(Exception):
    """The action is not begun; the text says why, and what would help."""


class BulkQuerySet(TenantQuerySet):
    def due(self, now: datetime) -> Self:
        return self.filter(status__in=BulkAction.OPEN, next_at__lte=now).order_by("next_at", "id")

    def act_next(self, now: datetime | None = None) -> bool:
        """Does a few acts that are due, of whichever action has waited longest; returns whether there was one.

        now: by whose clock the pace is kept. Raises what the database says when it is away.
        """
        now = now or timezone.now()
        if not self.due(now).exists():  # a plain read: SQLite's one lock is not asked for while there is nothing to do
            return False
        with transaction.atomic():
            action = self.due(now).select_for_update(skip_locked=True).first()
            if action is None:
                return False
            action._work(now)
        return True

    def purge(self, before: datetime) -> int:
        """Deletes actions that were over by then, with their outcomes."""
        old = self.filter(finished_at__lt=before)
        delete_in_batches(BulkResult.across_tenants.filter(bulk__in=old), is_patient=True)
        return delete_in_batches(old)


class BulkAction(TenantRow):
    """pairs: the filter that chose the runs, empty where they were ticked; per_second: None as fast as it goes."""

    class Act(models.TextChoices):
        RETRY = "retry", "Retry"
        STOP = "stop", "Stop"
        REVIEW = "review", "Review"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        ABORTED = "aborted", "Aborted"
        FAILED = "failed", "Failed"

    OPEN = (Status.QUEUED, Status.RUNNING)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    action = models.CharField(max_length=8, choices=Act)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    pairs = models.JSONField(default=list, blank=True)
    query = models.TextField(blank=True, help_text="The filter as one types it.")
    start_at = models.CharField(max_length=8, blank=True, help_text="Of a retry: start, or failed where possible.")
    is_newest = models.BooleanField(default=False, help_text="Of a retry: in the newest version of the flow.")
    is_newest_environment = models.BooleanField(default=False, help_text="And in the environment's newest.")
    changes = models.JSONField(default=dict, blank=True, help_text="Inputs that every retry gets.")
    per_second = models.PositiveSmallIntegerField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey("User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_by_key = models.ForeignKey("ApiKey", null=True, on_delete=models.SET_NULL, related_name="+")
    created_by_name = models.CharField(max_length=300)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True, help_text="When its next act is due.")
    abort_requested_at = models.DateTimeField(null=True)
    abort_requested_by = models.CharField(max_length=300, blank=True)

    objects, across_tenants = tenant_managers(BulkQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "bulk action"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["queued", "running", "done", "aborted", "failed"]), name="bulk_status"
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="bulk_newest"),
            models.Index(
                fields=["next_at", "id"], name="bulk_due", condition=models.Q(status__in=["queued", "running"])
            ),
            models.Index(fields=["finished_at"], name="bulk_oldest", condition=models.Q(finished_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.total} runs"

    # --- questions ----------------------------------------------------------------------------------------------

    @property
    def uid(self) -> str:
        """Its id outside, and in the trail."""
        return str(self.uuid)

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def how(self) -> BulkRetry:
        return BulkRetry(self.start_at, self.is_newest, self.is_newest_environment, self.changes)

    @property
    def acted(self) -> int:
        """Runs that have an outcome."""
        return self.done + self.refused + self.skipped

    @property
    def left(self) -> int:
        return self.total - self.acted

    @property
    def rate(self) -> float | None:
        """Runs a second so far; None before there is something to measure."""
        end = self.finished_at or timezone.now()
        seconds = (end - self.started_at).total_seconds() if self.started_at else 0.0
        return (self.done + self.refused) / seconds if seconds >= 1 else None

    @property
    def took_ms(self) -> int | None:
        """From its first act to its end, or to now."""
        return measure_ms(self.started_at, self.finished_at)

    @property
    def ms_left(self) -> float | None:
        """How long the rest takes at this rate."""
        rate = self.rate or self.per_second
        return 1000 * self.left / rate if self.is_open and rate else None

    @classmethod
    def role_for(cls, act: str) -> Role:
        """Who may do it to one run may do it to many."""
        return Role.SUPPORT if act == cls.Act.REVIEW else Role.OPERATOR

    # --- verbs ----------------------------------------------------------------------------------------------------

    @classmethod
    def ask(
        cls,
        tenant: Tenant,
        act: str,
        *,
        by: Actor,
        runs: RunQuerySet | None = None,
        uids: Sequence[str] = (),
        pairs: Iterable[tuple[str, str]] = (),
        how: BulkRetry | None = None,
        per_second: int | None = None,
        at_most: int = MOST_RUNS,
        is_watched: bool = False,
    ) -> BulkAction:
        """A new action on these runs, as they are now. Nothing that matches later belongs to it.

        runs: of the tenant, filtered by `pairs`; or uids: ids that were ticked or sent, of which one that is nobody's
        or another tenant's is refused alone. how: of a retry; at_most: how many the asker has agreed to; is_watched:
        `work_now` follows.
        Raises BulkRefused, and InputError for changes that are no JSON.
        """
        if runs is None:
            rows = _find(tenant, list(dict.fromkeys(uids)))
        else:
            found = runs.in_any_order().values_list("ordered_at", "pk", "uid")[: MOST_RUNS + 1]
            rows = [(pk, uid) for _, pk, uid in sorted(found)]  # what waits longest comes first
        if len(rows) > MOST_RUNS:
            raise BulkRefused(f"More than {MOST_RUNS:,} runs match, and one action takes so many: narrow the filter.")
        if len(rows) > at_most:
            raise BulkRefused(
                f"{len(rows):,} runs match now, more than the {at_most:,} that were agreed to: look again."
            )
        now = timezone.now()
        asked = tidy(pairs)
        missing = sum(pk is None for pk, _ in rows)
        is_retry = act == cls.Act.RETRY
        wish = (how or BulkRetry()).check() if is_retry else BulkRetry(start_at="")
        with transaction.atomic():
            action = cls.across_tenants.create(
                tenant=tenant,
                action=cls.Act(act),
                pairs=[list(pair) for pair in asked],
                query=write(asked),
                **asdict(wish),
                per_second=min(per_second or USUAL_PER_SECOND, MOST_PER_SECOND) if is_retry else per_second,
                total=len(rows),
                refused=missing,
                created_by=by.user,
                created_by_key=by.key,
                created_by_name=clean(by.label)[:300],
                address=by.address,
                created_at=now,
                next_at=now + IN_HAND if is_watched else now,
            )
            BulkResult.take(action, rows, why_not=NO_RUN)
            told: dict[str, Any] = {
                "version": "newest" if wish.is_newest else "",
                "environment": "newest" if wish.is_newest_environment else "",
                "changed_inputs": sorted(wish.changes),
            }
            told = {name: value for name, value in told.items() if value}
            AuditEntry.record(f"bulk.{act}", action, by=by, query=action.query, total=action.total, **told)
            if not action.left:
                action._end(cls.Status.DONE, now)
        return action

    def work_now(self) -> BulkAction:
        """Works it off at once, whatever its pace; for few runs. Who dies meanwhile leaves the rest to the workers."""
        while self.is_open:
            with transaction.atomic():
                self.refresh_from_db(from_queryset=type(self).across_tenants.select_for_update())
                self._work(timezone.now(), is_watched=True)
        return self

    def abort(self, *, by: Actor) -> BulkAction:
        """Nothing more is done from now on; what is done stays. Raises StatusConflict when it is over."""
        now = timezone.now()
        with transaction.atomic():
            self.refresh_from_db(from_queryset=type(self).across_tenants.select_for_update())
            if not self.is_open:
                raise StatusConflict(f"The action is over: it is {self.status}.", self.status)
            self.abort_requested_at, self.abort_requested_by = now, clean(by.label)[:300]
            self._end(self.Status.ABORTED, now, why="The action was aborted before it came to this run.")
            AuditEntry.record("bulk.abort", self, by=by, done=self.done, left=self.skipped)
        return self

    work_now.alters_data = abort.alters_data = True  # type: ignore[attr-defined]

    # --- the work: everything below is called under the row's lock -----------------------------------------------

    def _work(self, now: datetime, *, is_watched: bool = False) -> None:
        """Does the acts that are due, for a moment: a transaction for each would cost more than the acts do.

        is_watched: its asker works it off, whatever the pace, and workers leave it alone.
        """
        by = self._actor()
        until = time.monotonic() + SLICE_SECONDS
        while self.is_open:
            self._act(by, now)
            if is_watched and self.is_open:
                self._note(next_at=now + IN_HAND)
            elif self.next_at and self.next_at > now:
                return
            if time.monotonic() >= until:
                return

    def _act(self, by: Actor | None, now: datetime) -> None:
        result = self.results.filter(outcome=Outcome.WAITING).order_by("id").first()
        if result is None or by is None:
            why = "" if by else f"{self.created_by_name} may not do this any more."
            self._end(self.Status.DONE if by else self.Status.FAILED, now, why=why)
            return
        outcome, reason, new_run = self._do(result, by)
        result.settle(outcome, reason=reason, new_run=new_run, at=now)
        acted = {outcome: getattr(self, outcome) + 1, "started_at": self.started_at or now}
        self._note(**acted, status=self.Status.RUNNING, next_at=self._next_at(now))
        if not self.left:
            self._end(self.Status.DONE, timezone.now())

    def _next_at(self, now: datetime) -> datetime:
        """When the act after this one is due: in step, and after a delay a little of it made good."""
        if not self.per_second or self.next_at is None:
            return now
        return max(self.next_at, now - CATCH_UP) + timedelta(seconds=1) / self.per_second

    def _note(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=list(fields))

    def _do(self, result: BulkResult, by: Actor) -> Outcomes:
        """The act on one run, and what came of it. A run that refuses, or breaks, does not keep the others."""
        # Locked, so that of two actions on the same run the second sees what the first did.
        rows = Run.across_tenants.select_for_update(of=("self",)).filter(pk=result.run_id, removing_at=None)
        run = rows.select_related("flow", "version", "environment_version", "end_user").first()
        if run is None:
            return Outcome.REFUSED, "The run was deleted.", None
        try:
            with transaction.atomic():
                return ACTS[self.action](run, by, self.how)
        except (StatusConflict, FlowDisabled, InputError) as error:
            return Outcome.REFUSED, str(error), None
        except AWAY:
            raise
        except Exception:
            # One run whose act breaks must not keep the action from the others: its outcome says so, the log why.
            logger.exception("Bulk action %s: run %s.", self.uuid, run.uid)
            return Outcome.REFUSED, "It went wrong; the product's own log says why.", None

    def _actor(self) -> Actor | None:
        """Who asked for it, if they may still do it: a right that was taken away ends what it began."""
        user, key, role = self.created_by, self.created_by_key, self.role_for(self.action)
        if user is None or not user.is_active or (key is not None and not key.is_usable):
            return None
        member = Membership.objects.of(self.tenant_id).filter(user=user, tenant__is_active=True).first()
        if not (user.is_superuser or (member is not None and member.may(role))):
            return None
        return Actor(user=user, key=key, address=self.address)

    def _end(self, status: str, now: datetime, *, why: str = "") -> None:
        """The last word; runs that it did not come to are skipped, and say why."""
        if why:
            self.skipped += self.results.filter(outcome=Outcome.WAITING).update(
                outcome=Outcome.SKIPPED, reason=why[:500], acted_at=now
            )
        if status == self.Status.FAILED:
            self.error = why[:500]
        self.status, self.finished_at, self.next_at = status, now, None
        self.save()


def _find(tenant: Tenant, uids: list[str]) -> list[tuple[int | None, str]]:
    """Primary keys of the tenant's runs with these ids, in their order; None for an id that is none of its runs'."""
    known: dict[str, int] = {}
    for place in range(0, len(uids), SOME):
        rows = Run.objects.of(tenant).filter(uid__in=uids[place : place + SOME], removing_at=None)
        known.update(rows.values_list("uid", "pk"))
    return [(known.get(uid), uid) for uid in uids]
