"""The flows that come with the product are read without a mistake and stand on programs that are there."""

from pathlib import Path

import pytest

from runs_dashboard.chores.__main__ import CHORES
from runs_dashboard.definition.inputs import validate
from runs_dashboard.definition.schema import Definition
from runs_dashboard.definition.templates import find
from runs_dashboard.definition.yaml_source import parse

FOLDER = Path(__file__).parents[2] / "runs_dashboard" / "flows"
FLOWS: dict[str, Definition] = {
    path.stem: parse(path.read_bytes(), source=path.name) for path in sorted(FOLDER.glob("*.yaml"))
}
# What `manage.py up` puts into the environment `dashboard`.
VARIABLES = {"CODE_DIR", "DATA_DIR", "MANAGE_PY"}


def test_the_bundle_is_complete() -> None:
    assert set(FLOWS) == {"backup", "retention", "self-check", "hello", "demo-order", "demo-shipping"}


@pytest.mark.parametrize("name", FLOWS)
def test_a_bundled_flow_is_named_like_its_file_and_described(name: str) -> None:
    flow = FLOWS[name]
    assert flow.id == name
    assert flow.name
    assert flow.description.endswith(".")
    assert all(step.name for step in flow.steps)


@pytest.mark.parametrize("name", FLOWS)
def test_a_bundled_flow_runs_programs_that_are_there(name: str) -> None:
    for step in FLOWS[name].steps:
        if step.component == "command":
            assert step.with_["run"][:3] == ["python", "-m", "runs_dashboard.chores"]
            assert step.with_["run"][3] in CHORES
        elif step.component == "flow":
            assert step.with_["flow"] in FLOWS


@pytest.mark.parametrize("name", FLOWS)
def test_a_bundled_flow_wants_only_the_variables_that_it_gets(name: str) -> None:
    flow = FLOWS[name]
    assert flow.environment == "dashboard"
    wanted = {reference.name for step in flow.steps for reference in find(step.with_.get("env", {}))}
    assert wanted - {"check", "pack"} <= VARIABLES


@pytest.mark.parametrize("name", ["backup", "retention", "self-check", "hello", "demo-order"])
def test_a_bundled_flow_starts_without_a_word_from_anybody(name: str) -> None:
    validate(FLOWS[name].inputs, {})


def test_housekeeping_happens_by_itself_and_demonstrations_do_not() -> None:
    scheduled = {name for name, flow in FLOWS.items() if flow.schedule}
    assert scheduled == {"backup", "self-check"}
    assert all(FLOWS[name].concurrency == 1 for name in scheduled)
