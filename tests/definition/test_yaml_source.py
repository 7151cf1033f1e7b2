"""A good flow file becomes a Definition that says what the file says."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.definition.schema import Definition, Retry, StepDefinition
from runs_dashboard.definition.yaml_source import from_json_data, parse

ORDERS = """\
id: nightly-orders
name: Nightly order sync
description: Copies yesterday's orders to the warehouse.
schedule: "0 2 * * *"          # optional; five-field cron, in `timezone`
timezone: Europe/Berlin
inputs:                        # become the start form and are validated (JSON Schema types)
  day: {type: string, format: date, required: true}
timeout: 3600                  # seconds, for the run
concurrency: 1                 # runs of this flow at once; the rest wait in the queue
retry: {attempts: 3, backoff: 10}   # per step, unless the step says otherwise
heartbeat_timeout: 120
secrets: [WAREHOUSE_TOKEN]     # taken from the environment; masked wherever they would appear
steps:
  - id: fetch
    component: http
    with: {method: GET, url: "https://shop.example/orders?day=${{ inputs.day }}"}
  - id: load
    component: command
    with: {run: ["python", "load.py"], env: {ROWS: "${{ steps.fetch.outputs.body.count }}"}}
    timeout: 600
  - id: approve
    component: approval        # the run is paused until someone resumes it
  - id: publish
    component: flow            # starts another flow and waits for it: a sub-run
    with: {flow: publish-orders}
"""


def test_the_contracts_example_is_read_as_it_says() -> None:
    flow = parse(ORDERS)
    assert (flow.id, flow.name, flow.type) == ("nightly-orders", "Nightly order sync", "automation")
    assert (flow.schedule, flow.timezone) == ("0 2 * * *", "Europe/Berlin")
    assert flow.inputs == {"day": {"type": "string", "format": "date", "required": True}}
    assert (flow.timeout, flow.concurrency, flow.heartbeat_timeout) == (3600.0, 1, 120.0)
    assert flow.secrets == ("WAREHOUSE_TOKEN",)
    assert [step.id for step in flow.steps] == ["fetch", "load", "approve", "publish"]
    assert flow.step("load") == StepDefinition(
        id="load",
        component="command",
        with_={"run": ["python", "load.py"], "env": {"ROWS": "${{ steps.fetch.outputs.body.count }}"}},
        timeout=600.0,
        retry=Retry(3, 10.0),
    )
    assert flow.step("fetch").with_["expect"] == []
    with pytest.raises(KeyError):
        flow.step("nowhere")


def test_what_is_not_said_has_its_default() -> None:
    flow = parse("id: a")
    assert flow == Definition(id="a", name="a")
    assert (flow.timezone, flow.retry, flow.on_worker_lost, flow.steps) == ("UTC", Retry(1, 0.0), "fail", ())


def test_every_top_level_key_arrives() -> None:
    flow = parse(
        "id: a\ntype: scorecard\non_worker_lost: queue\nenvironment: production\nretry_webhook: https://e.example/r\n"
        "tags: {team: shop}\nretention: {days: 30, bytes: 10GiB, runs: 1000}\nlog: {max_bytes: 5000, max_lines: 100}\n"
    )
    assert (flow.type, flow.on_worker_lost, flow.environment) == ("scorecard", "queue", "production")
    assert (flow.retry_webhook, flow.tags) == ("https://e.example/r", {"team": "shop"})
    assert (flow.retention, flow.log) == (
        {"days": 30, "bytes": 10 * 2**30, "runs": 1000},
        {"max_bytes": 5000, "max_lines": 100},
    )


def test_a_step_may_overrule_part_of_the_flows_retry() -> None:
    step = "component: approval}"
    flow = parse(
        f"id: a\nretry: {{attempts: 3, backoff: 5}}\nsteps: [{{id: x, retry: {{attempts: 1}}, {step}, {{id: y, {step}]"
    )
    assert flow.step("x").retry == Retry(1, 5.0)
    assert flow.step("y").retry == Retry(3, 5.0)


def test_backoff_doubles_with_every_attempt() -> None:
    assert [Retry(5, 10.0).delay(attempt) for attempt in (1, 2, 3)] == [10.0, 20.0, 40.0]


def test_plain_words_stay_text_where_yaml_would_convert_them() -> None:
    flow = parse(
        "id: a\nname: on\ndescription: 2026-11-22\nsteps:\n- id: '1'\n  component: command\n"
        "  with: {run: [yes, 08, 0x1F, 12:30:45, 1_000, .inf, =], env: {on: no, N: 010}}\n"
    )
    assert (flow.name, flow.description) == ("on", "2026-11-22")
    assert flow.steps[0].with_["run"] == ["yes", "08", "0x1F", "12:30:45", "1_000", ".inf", "="]
    assert flow.steps[0].with_["env"] == {"on": "no", "N": "010"}


def test_anchors_share_whole_values() -> None:
    flow = parse(
        "id: a\nsteps:\n- {id: x, component: command, with: {run: [ls], env: &e {A: b}}}\n"
        "- {id: y, component: command, with: {run: [ls], env: *e}}\n"
    )
    assert flow.step("y").with_["env"] == {"A": "b"}


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert parse(b"\xef\xbb\xbfid: a").id == parse("\ufeffid: a").id == "a"


def test_a_program_takes_template_syntax_literally() -> None:
    flow = parse("id: a\nsteps: [{id: x, component: command, with: {run: [echo, '${{ inputs.x }} ${{']}}]")
    assert flow.steps[0].with_["run"][1] == "${{ inputs.x }} ${{"


def test_stored_data_comes_back_the_same() -> None:
    flow = parse(ORDERS)
    stored = json.loads(json.dumps(flow.to_data()))
    assert Definition.from_data(stored) == flow
    assert from_json_data(stored) == flow
    assert Definition.from_data(stored).digest == flow.digest


def test_the_digest_sees_meaning_and_not_layout() -> None:
    assert parse(ORDERS).digest == parse(ORDERS.replace("3600  ", "3600.0")).digest
    assert parse(ORDERS).digest != parse(ORDERS.replace("3600", "3601")).digest


@pytest.mark.parametrize("data", [{}, [], None, {"id": "a", "name": "a", "steps": [{}]}, {"id": 1, "name": "a"}])
def test_data_that_is_no_definition_is_a_value_error(data: object) -> None:
    with pytest.raises(ValueError, match="not a stored flow definition"):
        Definition.from_data(data)  # type: ignore[arg-type]


NAMES = st.from_regex(r"[a-z0-9_-]{1,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20).filter(
    lambda text: "${{" not in text
)
COMMANDS = st.fixed_dictionaries({"run": st.lists(TEXTS, min_size=1, max_size=3)})
FLOWS = st.fixed_dictionaries(
    {"id": NAMES, "name": TEXTS},
    optional={
        "timeout": st.floats(0.001, 1e6),
        "concurrency": st.integers(1, 50),
        "retry": st.fixed_dictionaries({"attempts": st.integers(1, 100)}, optional={"backoff": st.floats(0, 100)}),
        "tags": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "steps": st.lists(
            st.fixed_dictionaries(
                {"id": NAMES, "component": st.just("command"), "with": COMMANDS},
                optional={"retry": st.fixed_dictionaries({"attempts": st.integers(1, 100)}), "name": TEXTS},
            ),
            max_size=4,
            unique_by=lambda step: step["id"],
        ),
    },
)


class Quoting(yaml.SafeDumper):
    """Writes every text in quotes: PyYAML takes `0e0` for a text, newer YAML and we for a number."""


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@given(FLOWS)
def test_any_flow_survives_yaml_and_storage(data: dict) -> None:
    flow = from_json_data(data)
    assert parse(yaml.dump(data, Dumper=Quoting)) == flow
    assert Definition.from_data(flow.to_data()) == flow
    assert from_json_data(flow.to_data()) == flow
