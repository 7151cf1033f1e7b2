"""Retry: a new run of its own, with its own log, that points at the run it retries."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

from ..definition.inputs import InputError, validate
from ..definition.uses import is_free, uses
from ..text.clean import clean_json
from .audit import Actor, AuditEntry
from .lifecycle import Status, StatusConflict
from .log import append_system
from .retry_call import RetryCall
from .webhook import WebhookSecret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..definition.schema import Definition, StepDefinition
    from .environment import EnvironmentVersion
    from .flow import FlowVersion
    from .run import Run
    from .step import Step


@dataclass(frozen=True)
class RetryPlan:
    """What a retry would do.

    version, environment_version: what it runs, and in what; done: the steps whose results could be kept, from the
    first on without a gap; kept: those of them that are; runs: the ids of the others, in their order.
    """

    version: FlowVersion
    environment_version: EnvironmentVersion | None
    done: list[Step]
    kept: list[Step]
    runs: list[str]

    @property
    def ids(self) -> list[str]:
        return [*(step.slug for step in self.kept), *self.runs]

    def why_not(self, slug: str) -> str:
        """Why the retry cannot begin with this step, or nothing."""
        ids = self.ids
        if slug not in ids:
            return f"There is no step {slug!r}. Steps: {', '.join(ids)}."
        if len(self.done) < ids.index(slug):
            return f"Step {ids[len(self.done)]!r} before it has not succeeded."
        return ""


@dataclass(frozen=True)
class StaleResult:
    """A kept step whose result was made with other values than the retry's.

    uses: the changed values that its settings name, such as `inputs.day`; may_use: the changed inputs that its
    program could have read.
    """

    slug: str
    uses: list[str]
    may_use: list[str]


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

    def plan_retry(  # type: ignore[misc]
        self: Run, *, start_at: str = "start", is_newest: bool = False, is_newest_environment: bool = False
    ) -> RetryPlan:
        """What a retry would keep and run, without doing it.

        start_at: `start` (everything again), `failed` (succeeded steps are kept), or a step's id; is_newest: run the
        flow's newest version instead of the same one; is_newest_environment: in its environment's newest version.
        Raises RetryRefused.
        """
        self.refresh_from_db(fields=["status"])
        if not self.is_final:
            raise RetryRefused(f"The run is {self.status}: it can be retried when it has ended.", self.status)
        newest = type(self.flow).across_tenants.get(pk=self.flow_id).latest if is_newest else None
        version = newest or self.version
        environment_version = self.environment_version
        if environment_version is not None and is_newest_environment:
            environment_version = environment_version.environment.latest or environment_version
        if self.is_engines:
            self._check_engine()
        ids = [step["id"] for step in version.definition.get("steps", ())]
        found = {step.slug: step for step in self.steps.filter(status=Status.SUCCEEDED)} if not self.is_engines else {}
        done = [found[slug] for slug in takewhile(found.__contains__, ids)]
        plan = RetryPlan(version, environment_version, done, [], ids)
        if start_at not in ("start", "failed"):
            if why := plan.why_not(start_at):
                raise RetryRefused(f"The retry cannot begin with {start_at!r}. {why}", self.status)
            done = done[: ids.index(start_at)]
        if start_at == "start":
            return plan
        return replace(plan, kept=done, runs=ids[len(done) :])

    def name_origins(self: Run, steps: Iterable[Step]) -> dict[int, str]:  # type: ignore[misc]
        """By step: the id of the run that made its result, where that was another one."""
        pks = [step.pk for step in steps if step.kept_from_id]
        return dict(self.steps.filter(pk__in=pks).values_list("pk", "kept_from__run__uid")) if pks else {}

    def find_stale(  # type: ignore[misc]
        self: Run, plan: RetryPlan, args: Mapping[str, Any], outputs: Iterable[str] = ()
    ) -> list[StaleResult]:
        """The results that the plan keeps although they were made with other values.

        args: the retry's; outputs: the steps whose outputs it changes. A result is compared with the run that made it,
        which may be one before this one.
        """
        made_in = {step.kept_from_id for step in plan.kept if step.kept_from_id}
        places = (
            dict(type(plan.kept[0]).across_tenants.filter(pk__in=made_in).values_list("pk", "run_id"))
            if made_in
            else {}
        )
        runs = type(self).across_tenants.select_related("version", "environment_version").in_bulk(set(places.values()))
        now = plan.environment_version.variables if plan.environment_version else {}
        edited = {f"steps.{slug}" for slug in outputs}
        compared: dict[int, tuple[list[str], set[str], Definition, dict[str, StepDefinition]]] = {}
        stale = []
        for step in plan.kept:
            origin = runs.get(places.get(step.kept_from_id or 0, 0), self)
            if origin.pk not in compared:
                was = origin.environment_version.variables if origin.environment_version else {}
                others = {f"environment.{name}" for name in changed_keys(was, now)} | edited
                definition = origin.version.parsed
                steps = {one.id: one for one in definition.steps}
                compared[origin.pk] = (changed_keys(origin.args, args), others, definition, steps)
            inputs, others, definition, steps = compared[origin.pk]
            known = steps.get(step.slug)
            if known is None or not (inputs or others):
                continue
            named = uses(known, inputs) & (others | {f"inputs.{name}" for name in inputs})
            had = [name for name in inputs if name in origin.args or name in definition.inputs]
            free = [name for name in had if f"inputs.{name}" not in named] if is_free(known) else []
            if named or free:
                stale.append(StaleResult(step.slug, sorted(named), free))
        return stale

    def retry(  # type: ignore[misc]
        self: Run,
        *,
        by: Actor,
        start_at: str = "start",
        args: dict[str, Any] | None = None,
        is_newest: bool = False,
        is_newest_environment: bool = False,
        outputs: dict[str, dict[str, Any]] | None = None,
    ) -> Run:
        """The new run that retries this one.

        args: changed inputs, else the same; outputs: for kept steps, what their outputs are from now on. The trail says
        what was changed. Raises RetryRefused, InputError.
        """
        plan = self.plan_retry(start_at=start_at, is_newest=is_newest, is_newest_environment=is_newest_environment)
        edited = self._check_outputs(plan, outputs or {})
        fields: dict[str, Any] = {"is_external": True} if self.is_engines else {}
        with transaction.atomic():
            run = self.flow.start(
                self.args if args is None else args,
                trigger="retry",
                by=by,
                version=plan.version,
                environment_version=plan.environment_version,
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
                step.keep_for(run, outputs=edited.get(step.slug))
            type(self).across_tenants.filter(pk=self.pk).update(is_retried=True)
            changed: dict[str, Any] = {
                "changed_inputs": changed_keys(self.args, run.args),
                "changed_outputs": sorted(edited),
                "version": plan.version.number if plan.version != self.version else None,
                "environment_version": (
                    plan.environment_version.number
                    if plan.environment_version and plan.environment_version != self.environment_version
                    else None
                ),
            }
            changed = {name: value for name, value in changed.items() if value}
            AuditEntry.record("run.retry", self, by=by, run=self, new_run=run.uid, start_at=start_at, **changed)
            for slug in sorted(edited):
                append_system(run, f"The outputs of {slug} were changed by {by.label} before this retry.", level=1)
        return run

    def _check_outputs(  # type: ignore[misc]
        self: Run, plan: RetryPlan, outputs: Mapping[str, dict[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """The outputs that differ from what the kept steps have. Raises RetryRefused, InputError."""
        kept = {step.slug: step for step in plan.kept}
        edited = {}
        for slug, given in outputs.items():
            if slug not in kept:
                raise RetryRefused(
                    f"Step {slug!r} is not kept: only a kept step's outputs can be changed.", self.status
                )
            try:
                cleaned = clean_json(validate({}, given))
            except InputError as error:
                raise InputError([(f"outputs.{slug}", said) for _, said in error.problems]) from None
            except ValueError as error:
                raise InputError([(f"outputs.{slug}", str(error))]) from None
            if cleaned != kept[slug].outputs:
                edited[slug] = cleaned
        return edited

    retry.alters_data = True  # type: ignore[attr-defined]


def changed_keys(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names whose values differ, those that only one of the two has among them. `1` and `true` do differ."""
    return [
        name
        for name in {**was, **now}
        if (name in was) != (name in now)
        or json.dumps(was[name], sort_keys=True) != json.dumps(now[name], sort_keys=True)
    ]
