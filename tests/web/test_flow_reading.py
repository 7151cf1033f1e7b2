"""A definition for reading: what each step does and needs, with secrets by their names alone."""

from __future__ import annotations

import shlex

from runs_dashboard.definition.yaml_source import parse
from runs_dashboard.web.flow_reading import Need, quote, read_inputs, read_limits, read_steps

FLOW = """
id: orders
name: Orders
inputs:
  day: {type: string, format: date, title: Day, required: true}
  shop: {type: string, enum: [eu, us], default: eu}
  rows: {type: integer, minimum: 1, maximum: 9, default: 5}
  code: {type: string, pattern: "^[a-z]+$", maxLength: 4}
timeout: 3600
concurrency: 1
secrets: [TOKEN]
retention: {days: 30, bytes: 2GB, runs: 100}
on_worker_lost: queue
steps:
  - id: fetch
    name: Fetch them
    component: http
    timeout: 90
    retry: {attempts: 3, backoff: 5}
    with:
      method: POST
      url: "https://shop.example/orders?day=${{ inputs.day }}"
      headers: {Authorization: "Bearer ${{ secrets.TOKEN }}"}
      expect: [200, 201]
  - id: ask
    component: approval
    with: {message: May they be shipped?}
  - id: count
    component: command
    with:
      run: ["python", "-c", "print('a b')"]
      env: {ROWS: "${{ steps.fetch.outputs.rows }}", DAY: "${{ inputs.day }} ${{ inputs.day }}"}
  - id: ship
    component: flow
    with: {flow: shipping, args: {day: "${{ inputs.day }}"}}
"""


def test_each_step_says_what_it_does_and_needs() -> None:
    fetch, ask, count, ship = read_steps(parse(FLOW))
    assert (fetch.name, fetch.does) == ("Fetch them", "POST https://shop.example/orders?day=${{ inputs.day }}")
    assert set(fetch.needs) == {Need("input", "day"), Need("secret", "TOKEN")}
    assert dict(fetch.facts) == {
        "Expects": "200, 201",
        "Stopped after": "1:30",
        "Tried": "up to 3 times, 5.0 s apart and then doubling",
    }
    assert (ask.name, ask.does, ask.needs) == ("ask", "May they be shipped?", [])
    assert count.does == """python -c "print('a b')\""""
    assert set(count.needs) == {Need("step", "rows", "fetch"), Need("input", "day")}
    assert (ship.sub_flow, ship.facts) == ("shipping", [("Gives it", "day")])


def test_arguments_are_quoted_as_one_would_type_them() -> None:
    parts = ["plain", "two words", "it's", """both ' and \"""", "", "$HOME's"]
    assert [quote(part) for part in parts] == ["plain", "'two words'", '"it\'s"', *map(shlex.quote, parts[3:])]
    assert shlex.split(" ".join(map(quote, parts))) == parts


def test_inputs_say_what_they_take() -> None:
    day, shop, rows, code = read_inputs(parse(FLOW))
    assert (day.title, day.kind, day.is_required, day.default) == ("Day", "date", True, "")
    assert (shop.rule, shop.default) == ("one of eu, us", "eu")
    assert (rows.kind, rows.rule, rows.default) == ("integer", "1 to 9", "5")
    assert code.rule == "at most 4 characters; like ^[a-z]+$"


def test_limits_are_words() -> None:
    assert dict(read_limits(parse(FLOW))) == {
        "At a time": "one run",
        "A run is stopped after": "1:00:00",
        "If its worker dies": "the run is queued again",
        "Secrets": "TOKEN",
        "Kept": "30 days, 2.0 GB of log, 100 runs",
    }
    assert read_limits(parse("id: a\nsteps: [{id: b, component: approval}]")) == []
