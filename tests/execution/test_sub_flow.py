"""Sub-runs: started, waited for, ended with their parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Environment, Run, Status
from runs_dashboard.models.working import WorkQuerySet

from .workers import OLI, execute, living, load, printed, program, start, wait_for_line, wait_until, working

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

LONG = ["sh", "-c", "echo long; sleep 300"]


def calling(flow: str, **options: Any) -> dict[str, Any]:
    return {"id": "sub", "component": "flow", "with": {"flow": flow, **options.pop("with_", {})}, **options}


def child_of(run: Run) -> Run:
    return run.sub_runs.get()


def test_a_parent_waits_for_its_sub_run_and_has_its_outputs(tenant: Tenant) -> None:
    report = (
        "import json, os\n"
        "print(json.dumps({'output': {'day': os.environ['INPUT_DAY']}}), file=open(os.environ['RUN_REPORT'], 'w'))"
    )
    load(tenant, [program(report)], slug="child", inputs={"day": {"type": "string", "required": True}})
    last = {
        "id": "last",
        "component": "command",
        "with": {"run": ["printenv", "ID"], "env": {"ID": "${{ steps.sub.outputs.run_id }}"}},
    }
    flow = load(
        tenant,
        [calling("child", with_={"args": {"day": "${{ inputs.day }}"}}), last],
        inputs={"day": {"type": "string"}},
    )

    run = execute(flow, {"day": "monday"})

    child = child_of(run)
    assert (child.status, child.trigger, child.parent_step, child.depth) == (Status.SUCCEEDED, "flow", "sub", 1)
    assert run.outputs["sub"] == {"run_id": child.uid, "status": "succeeded", "s1": {"day": "monday"}}
    assert printed(run) == [f"Started child as sub-run {child.uid}", child.uid]


def test_a_sub_run_that_fails_fails_its_step(tenant: Tenant) -> None:
    load(tenant, [["sh", "-c", "echo 'ERROR: no stock'; exit 1"]], slug="child")

    run = execute(load(tenant, [calling("child")]))

    assert (run.status, run.error_step) == (Status.FAILED, "sub")
    assert run.error == f"Sub-run {child_of(run).uid} of child failed: ERROR: no stock (exit code 1)"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (calling("nowhere"), "There is no flow 'nowhere'."),
        (calling("child", with_={"args": {"day": "yesterday"}}), "child could not be started: day: "),
    ],
    ids=["unknown", "wrong inputs"],
)
def test_a_sub_run_that_cannot_start_fails_its_step(tenant: Tenant, step: dict[str, Any], said: str) -> None:
    load(tenant, [["true"]], slug="child", inputs={"day": {"type": "string", "format": "date"}})

    run = execute(load(tenant, [step]))

    assert run.status == Status.FAILED
    assert said in run.error


def test_a_flow_of_another_tenant_is_not_there(tenant: Tenant, other_tenant: Tenant) -> None:
    load(other_tenant, [["true"]], slug="theirs")

    assert execute(load(tenant, [calling("theirs")])).error == "There is no flow 'theirs'."


def test_a_sub_run_is_stopped_before_its_parent_is(tenant: Tenant) -> None:
    load(tenant, [LONG], slug="child")
    with working():
        run = start(load(tenant, [calling("child"), ["echo", "never"]]))
        wait_until(run, Status.RUNNING)
        wait_for_line(run)
        child = child_of(run)
        wait_for_line(child)
        run.request_stop(by=OLI, reason="enough")
        wait_until(run)
        child.refresh_from_db()

    assert (run.status, child.status) == (Status.STOPPED, Status.STOPPED)
    assert child.finished_at <= run.finished_at
    assert living(child) == []
    assert run.steps.get().status == Status.STOPPED


def test_a_sub_run_that_takes_longer_than_its_step_may_is_stopped(tenant: Tenant) -> None:
    load(tenant, [LONG], slug="child")

    run = execute(load(tenant, [calling("child", timeout=0.4)]))

    assert run.error == f"Sub-run {child_of(run).uid} took longer than the step's 0.4 s."
    assert (child_of(run).status, child_of(run).stop_reason) == (Status.STOPPED, "its parent's time was over")


def test_a_sub_run_ends_with_its_parents_time(tenant: Tenant) -> None:
    load(tenant, [LONG], slug="child")

    run = execute(load(tenant, [calling("child")], timeout=1))

    assert run.error == "The run took longer than its 1 s and was ended."
    assert child_of(run).status == Status.STOPPED


def test_parents_do_not_keep_their_children_from_the_only_slot(tenant: Tenant) -> None:
    load(tenant, [["echo", "leaf"]], slug="leaf")
    load(tenant, [calling("leaf")], slug="middle")
    flow = load(tenant, [calling("middle")])
    with working(slots=1):
        runs = [start(flow) for _ in range(3)]
        for run in runs:
            assert wait_until(run).status == Status.SUCCEEDED


def test_a_flow_that_starts_itself_comes_to_an_end(tenant: Tenant) -> None:
    load(tenant, [calling("pong")], slug="ping")

    run = execute(load(tenant, [calling("ping")], slug="pong"), seconds=30)

    assert run.status == Status.FAILED
    assert "nested 10 deep" in run.error
    assert Run.across_tenants.count() == 11


def test_a_sub_run_that_would_wait_for_its_own_parent_is_refused(tenant: Tenant) -> None:
    load(tenant, [calling("narrow")], slug="between")
    run = execute(load(tenant, [calling("between")], slug="narrow", concurrency=1))

    assert run.status == Status.FAILED
    assert "narrow would wait for itself: its concurrency is 1." in run.error


def test_a_sub_run_runs_in_its_parents_environment(tenant: Tenant) -> None:
    environment = Environment.objects.of(tenant).create(name="live")
    environment.publish({"SHOP": "shop.example"}, by=OLI)
    environment_step = {
        "id": "s",
        "component": "command",
        "with": {"run": ["printenv", "S"], "env": {"S": "${{ environment.SHOP }}"}},
    }
    load(tenant, [environment_step], slug="child")

    run = execute(load(tenant, [calling("child")], environment="live"))

    assert printed(child_of(run)) == ["shop.example"]


def test_a_parent_that_hears_of_its_stop_after_its_sub_run_is_stopped_and_not_failed(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = WorkQuerySet.stop_requested
    load(tenant, [LONG], slug="child")
    with working():
        run = start(load(tenant, [calling("child"), ["echo", "never"]]))
        wait_for_line(run)
        child = child_of(run)
        wait_for_line(child)

        def ask_without_parent(rows: WorkQuerySet, worker: str) -> dict[int, bool]:
            return {pk: is_forced for pk, is_forced in ask(rows, worker).items() if pk != run.pk}

        monkeypatch.setattr(WorkQuerySet, "stop_requested", ask_without_parent)
        run.request_stop(by=OLI, reason="enough")
        wait_until(run)
        child.refresh_from_db()

    assert (run.status, child.status) == (Status.STOPPED, Status.STOPPED)
