"""The made-up history: the same from the same seed, and as consistent as one that really happened."""

import io
from collections import Counter
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, F, Max, Model, Q, Sum
from django.utils import timezone

from runs_dashboard.management.plain_command import Error
from runs_dashboard.management.synthetic import HABITS, choose_habits
from runs_dashboard.models import (
    FINAL,
    AuditEntry,
    Flow,
    LogChunk,
    LogView,
    Machine,
    Run,
    RunTag,
    Step,
    Tenant,
    TrackedData,
    User,
)
from runs_dashboard.models.log_reading import decode
from runs_dashboard.models.resolving import resolve_failures
from runs_dashboard.text.fingerprint import fingerprint
from runs_dashboard.text.levels import detect_level

from ..models.failures import check as check_failures

pytestmark = pytest.mark.django_db

RUNS = 300


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.create(slug="default", name="Default")


def generate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("generate", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def history(tenant: Tenant) -> Tenant:
    generate("--runs", str(RUNS), "--seed", "7", "--days", "20")
    return tenant


def content(model: type[Model], *leave_out: str) -> list[dict[str, Any]]:
    """All rows without their keys, which depend on what was there before."""
    names = [f.attname for f in model._meta.concrete_fields if not f.primary_key and not f.is_relation]
    rows = model._base_manager.values(*(name for name in names if name not in leave_out))
    return sorted(rows, key=repr)


def test_the_same_seed_gives_the_same_history(history: Tenant) -> None:
    models = (Run, Step, LogChunk, RunTag, TrackedData, AuditEntry)
    first = [content(model) for model in models[:-1]]
    acts = [row for row in content(AuditEntry) if row["action"].startswith("run.")]
    AuditEntry.across_tenants.all()._raw_delete(connection.alias)
    for model in models[-2::-1]:
        model.across_tenants.all()._raw_delete(connection.alias)
    generate("--runs", str(RUNS), "--seed", "7", "--days", "20")

    assert [content(model) for model in models[:-1]] == first
    assert [row for row in content(AuditEntry) if row["action"].startswith("run.")] == acts


def test_another_seed_gives_another_history_beside_it_and_the_same_is_refused(history: Tenant) -> None:
    before = set(Run.across_tenants.values_list("uid", flat=True))
    generate("--runs", "50", "--seed", "8")

    assert Run.across_tenants.count() == RUNS + 50 == len(before) + 50
    with pytest.raises(Error, match="there already"):
        generate("--runs", "50", "--seed", "8")
    assert Run.across_tenants.count() == RUNS + 50


def test_all_runs_have_ended_in_the_past(history: Tenant) -> None:
    runs = Run.across_tenants.all()

    assert runs.count() == RUNS
    assert {run.status for run in runs} <= FINAL
    for run in runs:
        assert run.created_at <= run.queued_at <= run.started_at <= run.finished_at <= timezone.now()
        assert run.ordered_at == run.started_at
        assert run.error == "" or run.status == "failed"
        assert int(run.uid.replace("-", "")[:12], 16) == round(run.started_at.timestamp() * 1000)


def test_counters_are_what_a_recount_gives(history: Tenant) -> None:
    for run in Run.across_tenants.all():
        entries = list(LogView(run).stream())
        levels = Counter(entry.level for entry in entries)
        assert [entry.line for entry in entries] == list(range(1, run.line_count + 1))
        assert run.warning_count == levels[2]
        assert run.error_count == levels[3] + levels[4]
        assert run.has_warnings == (run.warning_count > 0)
        assert run.log_bytes == sum(len(entry.message.encode()) + 1 for entry in entries)
        assert run.started_at <= min([entry.at for entry in entries], default=run.started_at)
        assert run.finished_at >= max([entry.at for entry in entries], default=run.started_at)
        steps = run.steps.aggregate(done=Count("pk", filter=Q(status="succeeded")), lines=Sum("line_count"))
        assert (run.steps_done, run.line_count) == (steps["done"], steps["lines"])
        assert run.step_count == len(run.version.definition["steps"])
        assert run.cpu_ms == run.steps.aggregate(sum=Sum("cpu_ms"))["sum"]


def test_chunks_say_what_is_in_them(history: Tenant) -> None:
    for chunk in LogChunk.across_tenants.all():
        entries = list(decode(chunk.first_line, chunk.first_at, chunk.body, None, None))
        assert chunk.line_count == len(entries)
        assert chunk.level_mask == sum({1 << entry.level for entry in entries})
        assert (chunk.first_at, chunk.last_at) == (entries[0].at, entries[-1].at)
        assert chunk.byte_size == sum(len(entry.message.encode()) + 1 for entry in entries)
        for entry in entries:
            assert entry.level == detect_level(entry.message), entry.message


def test_failures_name_their_step_and_line_and_repeat(tenant: Tenant) -> None:
    generate("--runs", "1500", "--lines", "12", "--days", "10")
    failed = Run.across_tenants.filter(status="failed")

    assert 0.02 < failed.count() / 1500 < 0.25
    for run in failed:
        assert run.error_fingerprint == fingerprint(run.error)
        if run.error_line is not None:
            line = LogView(run).after(run.error_line - 1, limit=1)[0]
            assert line.message.removeprefix("ERROR ") in run.error
            assert line.action == run.error_step
    kinds = failed.values("error_fingerprint").annotate(n=Count("pk"))
    assert kinds.aggregate(most=Max("n"))["most"] > 5 > 1 < kinds.count()
    assert failed.values("error").distinct().count() > kinds.count()
    by_day = Counter((run.flow_id, run.started_at.date()) for run in failed)
    assert max(by_day.values()) >= 5, "failures come in clusters"


def test_failures_are_resolved_as_their_retries_say_and_counted(tenant: Tenant) -> None:
    generate("--runs", "1500", "--lines", "3")
    said = dict(Run.across_tenants.filter(status="failed").values_list("pk", "resolved_run"))
    at = dict(Run.across_tenants.filter(status="failed").values_list("pk", "resolved_at"))
    assert 5 < sum(1 for by in said.values() if by) < len(said)
    Run.across_tenants.update(resolved_at=None, resolved_run=None)
    migration: Any = import_module("runs_dashboard.migrations.0013_failures")
    migration.resolve(None, SimpleNamespace(connection=connection))
    assert dict(Run.across_tenants.filter(status="failed").values_list("pk", "resolved_run")) == said
    assert dict(Run.across_tenants.filter(status="failed").values_list("pk", "resolved_at")) == at
    Run.across_tenants.update(resolved_at=None, resolved_run=None)
    for retry in Run.across_tenants.filter(status="succeeded").exclude(retried_run=None):
        resolve_failures(retry)
    for run in Run.across_tenants.filter(status="failed"):
        assert run.resolved_run_id == said[run.pk]
    check_failures(tenant)


def test_retries_and_sub_runs_belong_together(tenant: Tenant) -> None:
    generate("--runs", "1500", "--lines", "3")
    runs = Run.across_tenants.select_related("retried_run", "parent_run", "flow")
    retries = runs.filter(retried_run__isnull=False)
    sub_runs = runs.filter(parent_run__isnull=False)

    assert retries.count() > 10
    assert sub_runs.count() > 10
    for run in retries:
        old = run.retried_run
        assert (old.status, old.is_retried, old.flow) == ("failed", True, run.flow)
        assert run.attempt == old.attempt + 1
        assert run.started_at > old.finished_at
        assert run.args == old.args
        assert run.trigger == "retry"
    assert runs.filter(is_retried=True).count() == retries.count()
    for run in sub_runs:
        parent = run.parent_run
        assert run.trigger == "flow"
        assert run.depth == 1
        assert parent.started_at < run.started_at < run.finished_at < parent.finished_at
        assert run.status == parent.status
        step = parent.steps.get(slug=run.parent_step)
        assert step.component == "flow"
        assert step.outputs == ({"run_id": run.uid} if step.status == "succeeded" else {})


def test_nothing_of_it_is_another_tenants(tenant: Tenant) -> None:
    Tenant.objects.create(slug="eve", name="Eve")
    generate("--runs", "60", "--tenant", "eve")

    for model in (Run, Step, LogChunk, RunTag, TrackedData, AuditEntry, Flow):
        assert set(model.across_tenants.values_list("tenant__slug", flat=True)) == {"eve"}


def test_ids_go_on_after_it(history: Tenant) -> None:
    """What the product itself writes next gets a new number on both databases."""
    flow = Flow.across_tenants.get(slug="order-import")
    run = flow.start({}, trigger="manual", by=Machine(name="test"))
    claimed = Run.across_tenants.claim(worker="w")

    assert claimed == run
    assert run.pk > Run.across_tenants.exclude(pk=run.pk).aggregate(last=Max("pk"))["last"]
    step = Step.begin(run, run.version.parsed.steps[0], position=0, attempt=1)
    assert step.pk > Step.across_tenants.exclude(pk=step.pk).aggregate(last=Max("pk"))["last"]


def test_its_flows_can_be_started_and_its_people_cannot_sign_in(history: Tenant) -> None:
    for flow in Flow.across_tenants.all():
        run = flow.start({}, trigger="manual", by=Machine(name="test"))
        assert run.environment_version.environment.name == "production"
        assert flow.next_run_at is None or flow.is_schedule_paused
    assert not any(user.has_usable_password() for user in User.objects.all())
    assert Flow.across_tenants.filter(usual_ms__gt=0).exists()


@pytest.mark.parametrize("count", [1, 2, 3, len(HABITS) + 2, 100])
def test_any_number_of_flows_has_ids_of_their_own_and_calls_only_those_that_are_there(count: int) -> None:
    habits = choose_habits(count)
    slugs = {habit.slug for habit in habits}

    assert len(habits) == len(slugs) == count
    assert {habit.calls for habit in habits} <= {*slugs, ""}
    for habit in habits:
        assert habit.definition().id == habit.slug


def test_a_big_run_is_as_long_as_asked(tenant: Tenant) -> None:
    generate("--runs", "0", "--big", "25000")
    run = Run.across_tenants.get()

    assert run.line_count == 25_000 == run.steps.get().line_count
    assert sum(1 for _ in LogView(run).stream()) == 25_000
    assert [entry.line for entry in LogView(run).before(limit=2)] == [24_999, 25_000]
    assert run.log_bytes == LogChunk.across_tenants.aggregate(sum=Sum("byte_size"))["sum"]
    assert run.warning_count == sum(1 for entry in LogView(run, levels=frozenset([2])).stream())


@pytest.mark.parametrize(
    "arguments", [("--runs", "-1"), ("--runs", "1", "--flows", "0"), ("--runs", "1", "--days", "0")]
)
def test_numbers_out_of_bounds_are_refused(tenant: Tenant, arguments: tuple[str, ...]) -> None:
    with pytest.raises(Error, match="is a number from"):
        generate(*arguments)


def test_a_run_without_lines_is_possible(tenant: Tenant) -> None:
    generate("--runs", "40", "--lines", "0")

    assert Run.across_tenants.aggregate(most=Max("line_count"))["most"] <= 1
    assert not Run.across_tenants.filter(started_at__gt=F("finished_at")).exists()
