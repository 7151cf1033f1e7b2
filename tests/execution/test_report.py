"""The report file: outputs, tracked data, metrics, warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Status

from .workers import entries, execute, load, printed, program, said

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


def reporting(text: str, then: str = "") -> str:
    return f"import os, sys\nopen(os.environ['RUN_REPORT'], 'w').write({text!r})\n{then}"


def test_outputs_tracked_data_metrics_and_warnings_are_taken(tenant: Tenant) -> None:
    text = (
        '{"output": {"rows": 12}}\n{"track": {"order_id": "1234"}}\n{"warning": "slow"}\n'
        '{"metric": {"operations_sent": 12, "tokens": 7, "payload_size": 99, "pages": 2.5, "cpu_time": 3}}\n'
    )
    run = execute(load(tenant, [program(reporting(text))]))

    assert run.status == Status.SUCCEEDED
    assert run.outputs == {"s1": {"rows": 12}}
    assert list(run.tracked_data.values_list("key", "value")) == [("order_id", "1234")]
    assert (run.operations_sent, run.total_tokens, run.payload_bytes) == (12, 7, 99)
    assert run.metrics == {"pages": 2.5, "cpu_time": 3}
    assert (run.has_warnings, run.warning_count, printed(run)) == (True, 1, ["slow"])


def test_metrics_of_all_steps_add_up(tenant: Tenant) -> None:
    step = program(reporting('{"metric": {"operations_sent": 5}}'))
    run = execute(load(tenant, [step, {**step, "id": "s2"}]))

    assert run.operations_sent == 10


def test_absurd_metrics_do_not_break_the_run(tenant: Tenant) -> None:
    text = '{"metric": {"operations_sent": 1e300, "tokens": -5}}\n'
    run = execute(load(tenant, [program(reporting(text)), {**program(reporting(text)), "id": "s2"}]))

    assert run.status == Status.SUCCEEDED
    assert (run.operations_sent, run.total_tokens) == (2**49, 0)


def test_a_mistake_in_the_report_is_said_and_fails_nothing(tenant: Tenant) -> None:
    run = execute(load(tenant, [program(reporting('{"output": {"a": 1}}\n{"output": \n'))]))

    assert run.status == Status.SUCCEEDED
    assert run.outputs == {"s1": {"a": 1}}
    assert said(run)[0].startswith("Report file: Line 2: it is not JSON")


@pytest.mark.parametrize("make", ["os.mkfifo(p)", "os.symlink('/etc/passwd', p)", "os.mkdir(p)"])
def test_a_report_that_is_no_file_is_not_read(tenant: Tenant, make: str) -> None:
    run = execute(load(tenant, [program(f"import os; p = os.environ['RUN_REPORT']; {make}")]))

    assert (run.status, run.outputs, entries(run)) == (Status.SUCCEEDED, {}, [])


def test_a_failed_step_keeps_what_it_reported(tenant: Tenant) -> None:
    run = execute(load(tenant, [program(reporting('{"output": {"rows": 3}}', "sys.exit(4)"))]))

    step = run.steps.get()
    assert (run.status, step.exit_code, step.outputs) == (Status.FAILED, 4, {"rows": 3})


def test_a_later_step_uses_what_an_earlier_one_reported(tenant: Tenant) -> None:
    first = program(reporting('{"output": {"rows": 12, "list": [1, "a"]}}'))
    env = {"ROWS": "${{ steps.s1.outputs.rows }} ${{ steps.s1.outputs.list }}"}
    second = {"id": "s2", "component": "command", "with": {"run": ["printenv", "ROWS"], "env": env}}

    assert printed(execute(load(tenant, [first, second]))) == ['12 [1,"a"]']


def test_a_look_up_that_finds_nothing_fails_the_step_by_name(tenant: Tenant) -> None:
    second = {
        "id": "s2",
        "component": "command",
        "with": {"run": ["true"], "env": {"A": "${{ steps.s1.outputs.rows }}"}},
    }
    run = execute(load(tenant, [["true"], second]))

    assert (run.status, run.error_step) == (Status.FAILED, "s2")
    assert "rows" in run.error


def test_cpu_time_is_measured_over_the_whole_tree(tenant: Tenant) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    run = execute(load(tenant, [["sh", "-c", f"python3 -c '{burn}' & wait"]]))

    assert 280 <= run.cpu_ms < 2_000
    assert run.steps.get().cpu_ms == run.cpu_ms
