"""Which values a step names in its settings."""

from __future__ import annotations

from runs_dashboard.definition.uses import is_free, uses
from runs_dashboard.definition.yaml_source import parse

FLOW = """
id: orders
inputs: {day: {type: string}, dry-run: {type: boolean}}
environment: production
secrets: [TOKEN]
steps:
  - {id: fetch, component: http, with: {method: GET, url: "https://shop.example/${{ inputs.day }}",
     headers: {Authorization: "${{ secrets.TOKEN }}", X-Host: "${{ environment.HOST }}", X-Run: "${{ run.id }}"}}}
  - {id: load, component: command, with: {run: [sh, -c, "load $INPUT_DRY_RUN"],
     env: {ROWS: "${{ steps.fetch.outputs.body.count }}"}}}
"""


def test_look_ups_are_found_wherever_they_stand() -> None:
    fetch, load = parse(FLOW).steps
    assert uses(fetch) == {"inputs.day", "secrets.TOKEN", "environment.HOST"}
    assert uses(load) == {"steps.fetch"}


def test_a_program_that_names_an_inputs_variable_uses_it() -> None:
    _, load = parse(FLOW).steps
    assert uses(load, ["day", "dry-run"]) == {"steps.fetch", "inputs.dry-run"}


def test_only_programs_may_read_what_they_do_not_name() -> None:
    assert [is_free(step) for step in parse(FLOW).steps] == [False, True]
