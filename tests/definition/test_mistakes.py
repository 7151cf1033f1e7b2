"""Every kind of mistake in a flow file is named with its line, its path and what would be right."""

import pytest

from runs_dashboard.definition.yaml_source import DefinitionError, from_json_data, parse

COMMAND = "id: a\nsteps:\n- id: x\n  component: command\n  with:\n"
HTTP = "id: a\nsteps:\n- id: x\n  component: http\n  with:\n    url: https://shop.example/\n"

# (file, line, path, part of the message, part of the hint)
MISTAKES = [
    ("- a", 1, "", "expected a mapping, not a list", "e.g. id: …"),
    ("hello", 1, "", 'expected a mapping, not "hello"', "id"),
    ("name: x", 1, "", "id is missing", "e.g. id: …"),
    ("id: a\nidd: b", 2, "idd", 'unknown key "idd"', "did you mean id? allowed: id, name"),
    (
        "id: a\nsteps:\n- {id: x, component: approval, wiht: {}}",
        3,
        "steps[0].wiht",
        "unknown key",
        "did you mean with?",
    ),
    (COMMAND + "    run: [ls]\n    cwd: /", 7, "steps[0].with.cwd", 'unknown key "cwd"', "allowed: run, env"),
    ("id: a\nname: b\nid: c", 3, "id", "already given on line 1", "keep one"),
    ("id: A b", 1, "id", '"A b" is not allowed here', "use a-z"),
    ("id: ..", 1, "id", "not allowed", "use a-z"),
    ("id: a\nname: 5", 2, "name", "expected text, not 5", 'put it in quotes, e.g. "5"'),
    ("id: a\nname: [b]", 2, "name", "expected text, not a list", "e.g."),
    ("id: a\nname: ''", 2, "name", "may not be empty", ""),
    (f"id: a\nname: {'b' * 201}", 2, "name", "201 characters are too many", "at most 200"),
    ("id: a\ntype: automaton", 2, "type", '"automaton" is not known', "did you mean automation?"),
    ("id: a\non_worker_lost: retry", 2, "on_worker_lost", "is not known", "one of fail, queue"),
    ("id: a\ntimeout: -1", 2, "timeout", "-1 is out of bounds", "more than 0"),
    ("id: a\ntimeout: 0", 2, "timeout", "out of bounds", "more than 0"),
    ("id: a\ntimeout: 10m", 2, "timeout", 'a number of seconds, not "10m"', "e.g. 60"),
    ("id: a\ntimeout: true", 2, "timeout", "expected a number of seconds, not true", "e.g. 60"),
    ("id: a\ntimeout: 1e400", 2, "timeout", "1e400 is too large", "quote it"),
    ("id: a\nconcurrency: 1.5", 2, "concurrency", "expected a whole number, not 1.5", "1 to 10,000"),
    ("id: a\nconcurrency: 0", 2, "concurrency", "out of bounds", "1 to 10,000"),
    ("id: a\nconcurrency: 9999999999999999999", 2, "concurrency", "too large", "quote it"),
    ("id: a\nretry: {attempts: 101}", 2, "retry.attempts", "101 is out of bounds", "1 to 100"),
    ("id: a\nretry: {attempts: 0}", 2, "retry.attempts", "0 is out of bounds", "1 to 100"),
    ("id: a\nretry: {backoff: -1}", 2, "retry.backoff", "out of bounds", "at least 0"),
    ("id: a\nretry: 3", 2, "retry", "expected a mapping, not 3", "e.g. attempts"),
    ("id: a\nschedule: 61 * * * *", 2, "schedule", "the minute field is wrong", "0 2 * * *"),
    ("id: a\nschedule: '* * * * * *'", 2, "schedule", "expected five fields", "0 2 * * *"),
    ("id: a\nschedule: '@daily'", 2, "schedule", "not a five-field", "0 0 * * *"),
    ("id: a\nschedule: 0 0 30 2 *", 2, "schedule", "day-of-month", ""),
    ("id: a\ntimezone: Europe/Berln", 2, "timezone", "unknown time zone", "did you mean Europe/Berlin?"),
    ("id: a\ntimezone: ../x", 2, "timezone", "unknown time zone", "Europe/Berlin"),
    ("id: a\ntimezone: Europe", 2, "timezone", "unknown time zone", ""),
    ("id: a\ntags: {a: [b]}", 2, "tags.a", "expected text, not a list", "e.g. {team:"),
    ("id: a\nretention: {weeks: 1}", 2, "retention.weeks", "unknown key", "allowed: days, bytes, runs"),
    ("id: a\nretention: {days: -1}", 2, "retention.days", "out of bounds", "0 to 36,500"),
    ("id: a\nretention:\n  bytes: 10 GX", 3, "retention.bytes", "is no size", "such as 10GiB"),
    ("id: a\nretention: {bytes: 9999999 PB}", 2, "retention.bytes", "is no size", "at most"),
    ("id: a\nretention: {runs: many}", 2, "retention.runs", "a whole number", "0 to"),
    ("id: a\nlog: {max_lines: -5}", 2, "log.max_lines", "out of bounds", "1 to"),
    ("id: a\nretry_webhook: ftp://x", 2, "retry_webhook", "expected a URL", "https://engine.example"),
    ("id: a\nretry_webhook: 'https://'", 2, "retry_webhook", "with a host", "https://engine.example"),
    ("id: a\nretry_webhook: https://x:99999/", 2, "retry_webhook", "with a host", "https://engine.example"),
    ("id: a\nretry_webhook: https://a b/", 2, "retry_webhook", "without spaces", "https://engine.example"),
    ("id: a\nretry_webhook: https://me:pass@x/", 2, "retry_webhook", "a user name in the URL", "Authorization"),
    ("id: a\nsecrets: TOKEN", 2, "secrets", 'expected a list of names, not "TOKEN"', "e.g. [SHOP_TOKEN]"),
    ("id: a\nsecrets: [A-B]", 2, "secrets[0]", "not allowed", "letters, digits and underscores"),
    ("id: a\nsecrets:\n- A\n- A", 4, "secrets[1]", "listed twice", "keep one"),
    ("id: a\nsecrets: [SECRET_KEY]", 2, "secrets[0]", "belongs to the product", "another"),
    ("id: a\nsteps: {}", 2, "steps", "expected a list of steps, not a mapping", "e.g. - id: fetch"),
    ("id: a\nsteps: [x]", 2, "steps[0]", 'expected a mapping, not "x"', "e.g. id"),
    ("id: a\nsteps:\n- id: x", 3, "steps[0]", "component is missing", "e.g. component"),
    ("id: a\nsteps:\n- id: x\n  component: comand", 4, "steps[0].component", "not known", "did you mean command?"),
    (
        "id: a\nsteps:\n- {id: x, component: approval}\n- {id: x, component: approval}",
        4,
        "steps[1].id",
        "x is already the id of steps[0]",
        "rename one",
    ),
    (COMMAND + "    env: {}", 5, "steps[0].with", "run is missing", "e.g. run"),
    (COMMAND + "    run: ls -l", 6, "steps[0].with.run", "expected a list of arguments", 'e.g. ["python", "load.py"]'),
    (COMMAND + "    run: []", 6, "steps[0].with.run", "at least one argument", 'e.g. ["python", "load.py"]'),
    (COMMAND + "    run:\n    - sleep\n    - 5", 8, "steps[0].with.run[1]", "expected text, not 5", 'e.g. "5"'),
    (COMMAND + "    run: [ls]\n    env: {A-B: c}", 7, "steps[0].with.env.A-B", "not allowed", "letters"),
    (COMMAND + "    run: [ls]\n    env: {RUN_ID: c}", 7, "steps[0].with.env.RUN_ID", "set by the product", "another"),
    (COMMAND + "    run: [ls]\n    env: {INPUT_A: c}", 7, "steps[0].with.env.INPUT_A", "set by the product", "another"),
    (HTTP + "    method: FETCH", 7, "steps[0].with.method", '"FETCH" is not known', "one of GET"),
    (HTTP + "    body: {}", 7, "steps[0].with.body", "GET sends no body", "method: POST"),
    (HTTP + "    expect: [200, 999]", 7, "steps[0].with.expect[1]", "999 is out of bounds", "100 to 599"),
    (HTTP + "    expect: all", 7, "steps[0].with.expect", "expected a whole number", "100 to 599"),
    (HTTP + "    headers: {A B: c}", 7, 'steps[0].with.headers["A B"]', "not allowed", "X-Request-Id"),
    (HTTP + '    headers: {A: "b\\r\\nC: d"}', 7, "steps[0].with.headers.A", "line break", "one line"),
    (HTTP.replace("https:", "ftp:"), 6, "steps[0].with.url", "starts with http:// or https://", "e.g. https://"),
    (HTTP.replace("shop.example", ""), 6, "steps[0].with.url", "with a host", "e.g. https://"),
    (HTTP.replace("shop.example", "u:p@shop.example"), 6, "steps[0].with.url", "would be shown", "Authorization"),
    (HTTP.replace("shop.example", "[::1"), 6, "steps[0].with.url", "with a host", "e.g. https://"),
    (
        HTTP.replace("shop.example", "${{ inputs.host }}"),
        6,
        "steps[0].with.url",
        "the host may not come from inputs.host",
        "environment.NAME",
    ),
    (
        "id: a\nsteps:\n- {id: x, component: flow, with: {flow: a}}",
        3,
        "steps[0].with.flow",
        "a flow cannot start itself",
        "another",
    ),
    ("id: a\ninputs: [day]", 2, "inputs", "expected a mapping, not a list", "e.g. day"),
    ("id: a\ninputs: {1st: {}}", 2, "inputs.1st", "not allowed", "start with a letter"),
    ("id: a\ninputs: {a-b: {}, a_b: {}}", 2, "inputs.a_b", "would both be INPUT_A_B", "rename"),
    ("id: a\ninputs: {d: {type: date}}", 2, "inputs.d.type", '"date" is not known', "one of string"),
    ("id: a\ninputs: {d: {format: dat}}", 2, "inputs.d.format", '"dat" is not known', "did you mean date?"),
    ("id: a\ninputs: {d: {requird: true}}", 2, "inputs.d.requird", "unknown key", "did you mean required?"),
    ("id: a\ninputs: {d: {required: yes}}", 2, "inputs.d.required", 'true or false, not "yes"', "required: true"),
    ("id: a\ninputs: {d: {type: integer, default: x}}", 2, "inputs.d.default", "not a whole number", "allowed"),
    ("id: a\ninputs: {d: {enum: [a, 1]}}", 2, "inputs.d.enum[1]", "1 is not text", "own type"),
    ("id: a\ninputs: {d: {enum: []}}", 2, "inputs.d.enum", "at least one", "e.g."),
    ("id: a\ninputs: {d: {enum: [a], default: b}}", 2, "inputs.d.default", "not one of", "allowed"),
    ("id: a\ninputs: {d: {pattern: '['}}", 2, "inputs.d.pattern", "not a regular expression", "or use enum"),
    ("id: a\ninputs: {d: {pattern: '^(a+)+$'}}", 2, "inputs.d.pattern", "could take very long", "repeats"),
    ("id: a\ninputs: {d: {minimum: 1}}", 2, "inputs.d.minimum", "unknown key", "allowed: type"),
    ("id: a\ninputs: {d: {type: array, items: {$ref: '#'}}}", 2, 'inputs.d.items["$ref"]', "unknown key", "allowed"),
    # templates
    ("id: a\nname: ${{ run.id }}", 2, "name", "a template is not filled here", "may stand in the values of an http"),
    (
        "id: a\nsteps: [{id: x, component: approval, with: {message: '${{ run.id }}'}}]",
        2,
        "steps[0].with.message",
        "a template is not filled here",
        "a command's env",
    ),
    (HTTP + "    headers: {'${{ run.id }}': c}", 7, 'steps[0].with.headers["${{ run.id }}"]', "literally", "may stand"),
    (
        HTTP + "    headers: {A: '${{ inputs }}'}",
        7,
        "steps[0].with.headers.A",
        "is not a look-up",
        "there are inputs.NAME",
    ),
    (HTTP + "    headers: {A: '${{ run.id'}", 7, "steps[0].with.headers.A", "not closed", "there are inputs.NAME"),
    (HTTP + "    headers: {A: '${{ ${{ run.id }} }}'}", 7, "steps[0].with.headers.A", "not closed", "there are"),
    (
        HTTP + "    headers: {A: '${{ secrets.T }}'}",
        7,
        "steps[0].with.headers.A",
        "undeclared secret T",
        "secrets: [T]",
    ),
    (
        HTTP + "    headers: {A: '${{ inputs.b }}'}\ninputs: {c: {}}",
        7,
        "steps[0].with.headers.A",
        "unknown input b",
        "c",
    ),
    (HTTP + "    headers: {A: '${{ steps.y.outputs.z }}'}", 7, "steps[0].with.headers.A", "unknown step y", "none"),
    (
        HTTP + "    headers: {A: '${{ steps.x.outputs.z }}'}",
        7,
        "steps[0].with.headers.A",
        "not run yet",
        "earlier steps: none",
    ),
    # YAML itself
    ("", 1, "", "the file is empty", "e.g. id"),
    ("id: a\n  name: b", 2, "", "not valid YAML", "indentation"),
    ("id: [a\nname: b", 2, "", "not valid YAML", "indentation"),
    ("id: a\n---\nid: b", 2, "", "more than one document", "file of its own"),
    ("id: a\nname: !!python/object:os.system b", 2, "name", "python/object:os.system", "plain values"),
    ("id: a\nname: !!str 5", 2, "name", 'the tag "!!str" is refused', "quote"),
    ("id: a\n[b]: c", 2, "", "expected a key that is plain text", "e.g. name: value"),
    ("id: a\ntags: {<<: {b: c}}", 2, 'tags["<<"]', "merge keys", "write the keys out"),
    ("id: a\nname: *b", 2, "", "*b is not anchored", "&b"),
    ("id: a\ntags: &b {c: *b}", 2, "", "contains itself", "write the value out"),
    ('id: a\nname: "b\\0"', 2, "name", "NUL", "remove it"),
]


@pytest.mark.parametrize(("text", "line", "path", "message", "hint"), MISTAKES)
def test_a_mistake_is_named_with_line_path_and_remedy(text: str, line: int, path: str, message: str, hint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(text, source="flow.yaml")
    found = [p for p in caught.value.problems if message in p.message]
    assert found, caught.value
    assert (found[0].line, found[0].path) == (line, path)
    assert hint in found[0].hint
    assert f"flow.yaml:{line}: " in str(caught.value)


def test_one_line_says_where_what_and_what_would_be_right() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(COMMAND + "    run: load.py", source="file.yaml")
    assert str(caught.value) == (
        'file.yaml:6: steps[0].with.run: expected a list of arguments, e.g. ["python", "load.py"]'
    )


def test_all_mistakes_of_a_file_are_named_in_the_order_of_their_lines() -> None:
    text = "id: A\ntimeout: -1\nsteps:\n- {id: x, component: nope}\n- {id: x, component: command}\nschedule: never\n"
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (1, "id"),
        (2, "timeout"),
        (4, "steps[0].component"),
        (5, "steps[1].id"),
        (5, "steps[1].with"),
        (6, "schedule"),
    ]


def test_json_has_the_same_mistakes_with_a_path_alone() -> None:
    with pytest.raises(DefinitionError) as caught:
        from_json_data({"id": "a", "steps": [{"id": "x", "component": "command", "with": {"run": "ls"}}]})
    assert str(caught.value) == 'steps[0].with.run: expected a list of arguments, e.g. ["python", "load.py"]'
    assert caught.value.problems[0].line == 0


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\0", "\ud800", {1: 2}, {"\0": 1}, (1,), b"x", object(), 10**30]
)
def test_data_that_is_not_plain_json_is_refused(value: object) -> None:
    with pytest.raises(DefinitionError, match="write plain JSON"):
        from_json_data({"id": "a", "tags": value})


def test_more_than_a_thousand_steps_are_refused() -> None:
    steps = [{"id": str(number), "component": "approval"} for number in range(1001)]
    assert len(from_json_data({"id": "a", "steps": steps[:1000]}).steps) == 1000
    with pytest.raises(DefinitionError, match="1,001 items are too many; at most 1,000"):
        from_json_data({"id": "a", "steps": steps})


def test_endless_mistakes_are_cut_short() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse("id: a\n" + "".join(f"x{number}: 1\n" for number in range(500)))
    assert len(caught.value.problems) == 201
    assert "300 more problems" in str(caught.value)
