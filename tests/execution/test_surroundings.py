"""What a step's program finds in its environment, and what it never finds there."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from runs_dashboard.models import Environment, Flow, Status

from .workers import OLI, entries, execute, load, printed, program, said

if TYPE_CHECKING:
    from pytest_django import Settings

    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

TELL_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def test_a_program_finds_its_inputs_and_nothing_else(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATABASE_URL": "sqlite:////nowhere",
        "SECRET_KEY": "k" * 40,
        "AWS_KEY": "x",
        "LC_ALL": "C",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("WAREHOUSE_TOKEN", "warehouse-token-1")
    step = program(TELL_ENVIRONMENT, id="tell", env={"ROWS": "${{ inputs.day }}!"})
    flow = load(tenant, [step], slug="orders", secrets=["WAREHOUSE_TOKEN"], inputs={"day": {"type": "string"}})

    run = execute(flow, {"day": "monday", "extra-key": {"a": [1]}, "number": 1.5, "nothing": None})

    env = json.loads(printed(run)[0])
    scope = env.pop("RUNS_DASHBOARD_SCOPE")
    assert scope.endswith(f":{run.pk}:{run.token}")
    folder = Path(env["HOME"])
    assert folder.name == f"{run.pk}-{run.token}"
    assert env == {
        "PATH": env["PATH"],
        "HOME": env["HOME"],
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TZ": "Europe/Berlin",
        "WAREHOUSE_TOKEN": "***",
        "ROWS": "monday!",
        "INPUT_DAY": "monday",
        "INPUT_EXTRA_KEY": '{"a":[1]}',
        "INPUT_NUMBER": "1.5",
        "RUN_ID": run.uid,
        "STEP_ID": "tell",
        "FLOW_ID": "orders",
        "ATTEMPT": "1",
        "RUN_ARGS": env["RUN_ARGS"],
        "RUN_REPORT": env["RUN_REPORT"],
    }


def test_the_file_of_args_holds_them_all_and_the_folder_is_private_and_goes(tenant: Tenant) -> None:
    source = (
        "import json, os; print(json.load(open(os.environ['RUN_ARGS'], encoding='utf-8'))['text'], os.getcwd(),"
        " oct(os.stat('.').st_mode), sep='|'); os.mkdir('locked'); open('locked/file', 'w'); os.chmod('locked', 0)"
    )
    run = execute(load(tenant, [program(source)]), {"text": "ünïcödé \N{ROCKET}"})

    text, folder, mode = printed(run)[0].split("|")
    assert text == "ünïcödé \N{ROCKET}"
    assert stat.S_IMODE(int(mode, 8)) == 0o700
    assert not Path(folder).exists()


def test_an_input_too_long_for_the_environment_is_in_the_file_and_said(tenant: Tenant) -> None:
    source = "import json, os; print('INPUT_BODY' in os.environ, len(json.load(open(os.environ['RUN_ARGS']))['body']))"
    run = execute(load(tenant, [program(source)]), {"body": "x" * 200_000})

    assert run.status == Status.SUCCEEDED
    assert printed(run) == ["False 200000"]
    assert said(run) == ["Too long for the environment: body. The file RUN_ARGS has all inputs."]


def test_a_secret_that_is_not_there_fails_the_run_before_its_first_step(tenant: Tenant) -> None:
    run = execute(load(tenant, [["true"]], secrets=["NOBODY_SET_IT"]))

    assert run.status == Status.FAILED
    assert "NOBODY_SET_IT is not set" in run.error
    assert run.steps.count() == 0


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "BROKER_URL"])
def test_the_servers_own_secrets_are_given_to_no_flow(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "the-server-alone-knows")

    # A flow file with such a name is refused already: this is the second lock of that door.
    definition = msgspec.structs.replace(load(tenant, [program(TELL_ENVIRONMENT)]).definition, secrets=(name,))
    flow, _ = Flow.load(definition, tenant=tenant, by=OLI)
    run = execute(flow)

    assert run.status == Status.FAILED
    assert "belongs to the server" in run.error


def test_the_servers_key_is_masked_even_if_a_program_reads_it(tenant: Tenant, quick: Settings) -> None:
    run = execute(load(tenant, [["echo", f"key={quick.SECRET_KEY}"]]))

    assert printed(run) == ["key=***"]


def test_a_secret_too_short_to_be_masked_is_said_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "1234")

    run = execute(load(tenant, [["echo", "one"], ["echo", "two"]], secrets=["PIN"]))

    assert [entry.level for entry in entries(run)] == [2, 1, 1]
    assert said(run)[0].startswith("PIN: a secret of fewer than 6 characters is not masked")


def test_variables_of_the_environment_are_looked_up(tenant: Tenant) -> None:
    environment = Environment.objects.of(tenant).create(name="live")
    environment.publish({"SHOP": "https://shop.example"}, by=OLI)
    step = {
        "id": "s1",
        "component": "command",
        "with": {"run": ["printenv", "URL"], "env": {"URL": "${{ environment.SHOP }}/x"}},
    }
    flow = load(tenant, [step], environment="live")

    assert printed(execute(flow)) == ["https://shop.example/x"]


def test_what_looks_like_a_template_in_a_value_is_never_looked_up(tenant: Tenant) -> None:
    step = {"id": "s1", "component": "command", "with": {"run": ["printenv", "A"], "env": {"A": "${{ inputs.a }}"}}}
    flow = load(tenant, [step], inputs={"a": {"type": "string"}})

    assert printed(execute(flow, {"a": "${{ run.id }} {{ x }} %s $HOME"})) == ["${{ run.id }} {{ x }} %s $HOME"]
