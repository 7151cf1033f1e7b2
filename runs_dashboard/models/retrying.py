"""Retry: a new run of its own, with its own log, that points at the run it retries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

from .audit import Actor, AuditEntry
from .lifecycle import Status, StatusConflict
from .retry_call import RetryCall
from .webhook import WebhookSecret

if TYPE_CHECKING:
    from .flow import FlowVersion
    from .run import Run
    from .step import Step


@dataclass(frozen=True)
class RetryPlan:
    """What a retry would do: the version it runs, the steps it keeps and those it runs, in their order."""

    version: FlowVersion
    kept: list[Step]
    runs: list[str]


class RetryRefused(StatusConflict):
    """This run cannot be retried that way; the message says why and what can be done (409)."""


class Retryable(models.Model):
    """How a run is retried."""

    class Meta:
        abstract = True

    @property
    def is_engines(self: Run) -> bool:  # type: ignore[misc]
        """Whether a retry is for the engine that reported the run: it has no steps here, or an address to call."""
        return not self.has_steps or (self.is_external and bool(self.flow.definition.retry_webhook))

    @property
    def is_retryable(self: Run) -> bool:  # type: ignore[misc]
        """Whether a retry would be taken, but for the run's status."""
        return not self.is_engines or bool(self.flow.definition.retry_webhook)

    def _check_engine(self: Run) -> None:  # type: ignore[misc]
        if not self.flow.definition.retry_webhook:
            raise RetryRefused(
                "The run was reported by its own engine: retry it there, or give the flow a retry_webhook.", self.status
            )
        if WebhookSecret.newest(self.flow) is None:
            raise RetryRefused(
                "The flow has no webhook secret that a call of its engine could be signed with: make one on its page.",
                self.status,
            )

    def plan_retry(self: Run, *, start_at: str = "start", is_newest: bool = False) -> RetryPlan:  # type: ignore[misc]
        """What a retry would keep and run, without doing it.

        start_at: `start` (everything again), `failed` (succeeded steps are kept), or a step's id; is_newest: run the
        flow's newest version instead of the same one. Raises RetryRefused.
        """
        self.refresh_from_db(fields=["status"])
        if not self.is_final:
            raise RetryRefused(f"The run is {self.status}: it can be retried when it has ended.", self.status)
        newest = type(self.flow).across_tenants.get(pk=self.flow_id).latest if is_newest else None
        version = newest or self.version
        if self.is_engines:
            self._check_engine()
        ids = [step["id"] for step in version.definition.get("steps", ())]
        if start_at not in ("start", "failed", *ids):
            raise RetryRefused(f"There is no step {start_at!r}. Steps: {', '.join(ids)}.", self.status)
        done = {step.slug: step for step in self.steps.filter(status=Status.SUCCEEDED)}
        kept: list[Step] = []
        if self.is_engines:
            return RetryPlan(version=version, kept=[], runs=ids)
        if start_at != "start":
            for slug in ids:
                if slug == start_at or slug not in done:
                    break
                kept.append(done[slug])
            if start_at in ids and len(kept) < ids.index(start_at):
                missing = ids[len(kept)]
                raise RetryRefused(f"Step {missing!r} before {start_at!r} has not succeeded.", self.status)
        return RetryPlan(version=version, kept=kept, runs=ids[len(kept) :])

    def retry(  # type: ignore[misc]
        self: Run,
        *,
        by: Actor,
        start_at: str = "start",
        args: dict[str, Any] | None = None,
        is_newest: bool = False,
    ) -> Run:
        """The new run that retries this one. args: changed inputs, else the same. Raises RetryRefused, InputError."""
        plan = self.plan_retry(start_at=start_at, is_newest=is_newest)
        fields: dict[str, Any] = {"is_external": True} if self.is_engines else {}
        with transaction.atomic():
            run = self.flow.start(
                self.args if args is None else args,
                trigger="retry",
                by=by,
                version=plan.version,
                environment_version=self.environment_version,
                retried_run=self,
                retried_from="" if start_at == "start" else (plan.runs[0] if plan.runs else start_at),
                attempt=self.attempt + 1,
                end_user=self.end_user,
                tags=dict(self.tags.values_list("key", "value")),
                tracked=list(self.tracked_data.values_list("key", "value")),
                **fields,
            )
            if self.is_engines:
                url = self.flow.definition.retry_webhook or ""
                RetryCall.ask(run, url, start_at=start_at)
            for step in plan.kept:
                step.keep_for(run)
            type(self).across_tenants.filter(pk=self.pk).update(is_retried=True)
            AuditEntry.record("run.retry", self, by=by, run=self, new_run=run.uid, start_at=start_at)
        return run

    retry.alters_data = True  # type: ignore[attr-defined]
