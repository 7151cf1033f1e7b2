"""Plain data to a Definition, every mistake noted."""

from typing import Any, get_args

from runs_dashboard.definition import templates
from runs_dashboard.definition.components import (
    COMPONENTS,
    OWN_VARIABLES,
    TEMPLATE_KEYS,
    TEMPLATE_PLACES,
    check_url,
    read_with,
)
from runs_dashboard.definition.input_specs import read_inputs
from runs_dashboard.definition.plain import iterate_strings
from runs_dashboard.definition.problems import Path
from runs_dashboard.definition.reader import SLUG, SLUG_HINT, VARIABLE, VARIABLE_HINT, Reader
from runs_dashboard.definition.schedule import ScheduleError, check_expression, zone
from runs_dashboard.definition.schema import Definition, FlowType, OnWorkerLost, Retry, StepDefinition

MAX_STEPS = 1000
MAX_SECONDS = 366 * 86_400
MAX_DAYS = 36_500
MAX_RUNS = 10**9

_FLOW_KEYS = tuple(Definition.__struct_fields__)
_STEP_KEYS = ("id", "name", "component", "with", "timeout", "retry")
# The server's own keys, which no flow may ask for as a secret.
_RESERVED_SECRETS = (*OWN_VARIABLES, "SECRET_KEY", "DATABASE_URL", "BROKER_URL")


def read_flow(reader: Reader, value: Any) -> Definition | None:
    """The definition, or None once the reader has noted any problem."""
    data = reader.keys(value, (), _FLOW_KEYS, ("id",))
    if not isinstance(value, dict):
        return None
    read: dict[str, Any] = {}
    if "id" in data:
        read["id"] = reader.text(data["id"], ("id",), limit=100, pattern=SLUG, hint=SLUG_HINT)
    read["name"] = reader.text(data["name"], ("name",)) if "name" in data else read.get("id", "")
    if "description" in data:
        read["description"] = reader.text(data["description"], ("description",), limit=10_000, allow_empty=True)
    for key, choices in (("type", get_args(FlowType)), ("on_worker_lost", get_args(OnWorkerLost))):
        if key in data:
            read[key] = reader.choice(data[key], (key,), choices)
    for key in ("timeout", "heartbeat_timeout"):
        if key in data:
            read[key] = _seconds(reader, data[key], (key,))
    if "concurrency" in data:
        read["concurrency"] = reader.whole(data["concurrency"], ("concurrency",), least=1, most=10_000)
    if "environment" in data:
        read["environment"] = reader.text(
            data["environment"], ("environment",), limit=100, pattern=SLUG, hint=SLUG_HINT
        )
    if "tags" in data:
        read["tags"] = reader.texts(data["tags"], ("tags",), hint='e.g. {team: "shop"}', limit=200)
    if "retention" in data:
        read["retention"] = _retention(reader, data["retention"])
    if "log" in data:
        limits = reader.keys(data["log"], ("log",), ("max_bytes", "max_lines"))
        read["log"] = {w: reader.whole(n, ("log", w), least=1, most=10**15) for w, n in limits.items()} or None
    if "retry_webhook" in data:
        read["retry_webhook"] = _webhook(reader, data["retry_webhook"])
    _read_schedule(reader, data, read)
    read["secrets"] = _read_secrets(reader, data.get("secrets", []))
    read["inputs"] = read_inputs(reader, data.get("inputs", {}), ("inputs",))
    read["retry"] = _retry(reader, data.get("retry", {}), ("retry",), Retry())
    read["steps"] = _read_steps(reader, data.get("steps", []), read["retry"], read.get("id", ""))
    _check_templates(reader, value, read)
    if reader.problems:
        return None
    return Definition(**read)


def _seconds(reader: Reader, value: Any, path: Path) -> float:
    return reader.number(value, path, least=0, most=MAX_SECONDS, unit="seconds", above=True)


def _retry(reader: Reader, value: Any, path: Path, base: Retry) -> Retry:
    """A retry rule; what it leaves open is as in `base`."""
    data = reader.keys(value, path, ("attempts", "backoff"))
    attempts, backoff = base.attempts, base.backoff
    if "attempts" in data:
        attempts = reader.whole(data["attempts"], (*path, "attempts"), least=1, most=100)
    if "backoff" in data:
        backoff = reader.number(data["backoff"], (*path, "backoff"), least=0, most=86_400, unit="seconds")
    return Retry(attempts, backoff)


def _retention(reader: Reader, value: Any) -> dict[str, int] | None:
    """How much of its ended runs is kept: `days`, `bytes` of log, a number of `runs`; 0 is no bound."""
    data = reader.keys(value, ("retention",), ("days", "bytes", "runs"))
    rule = {}
    for word, number in data.items():
        path = ("retention", word)
        if word == "bytes":
            rule[word] = reader.size(number, path)
        else:
            rule[word] = reader.whole(number, path, least=0, most=MAX_DAYS if word == "days" else MAX_RUNS)
    return rule or None


def _webhook(reader: Reader, value: Any) -> str:
    url = reader.text(value, ("retry_webhook",), limit=2000)
    if url:
        check_url(reader, url, ("retry_webhook",), hint="e.g. https://engine.example/retry")
    return url


def _read_schedule(reader: Reader, data: dict[str, Any], read: dict[str, Any]) -> None:
    for key, check, hint in (
        ("schedule", check_expression, 'e.g. "0 2 * * *" for 02:00 every day'),
        ("timezone", zone, "e.g. Europe/Berlin"),
    ):
        if key not in data:
            continue
        read[key] = reader.text(data[key], (key,), hint=hint)
        try:
            if read[key]:
                check(read[key])
        except ScheduleError as error:
            reader.refuse((key,), str(error), error.hint)


def _read_secrets(reader: Reader, value: Any) -> tuple[str, ...]:
    names: list[str] = []
    for index, name in enumerate(reader.items(value, ("secrets",), "a list of names", "e.g. [SHOP_TOKEN]", 200)):
        path = ("secrets", index)
        text = reader.text(name, path, pattern=VARIABLE, hint=VARIABLE_HINT)
        if text in names:
            reader.refuse(path, f"{text} is listed twice", "keep one")
        if text in _RESERVED_SECRETS:
            reader.refuse(path, f"{text} belongs to the product", "choose another name")
        names.append(text)
    return tuple(names)


def _read_steps(reader: Reader, value: Any, retry: Retry, flow_id: str) -> tuple[StepDefinition, ...]:
    steps: list[StepDefinition] = []
    places: dict[str, int] = {}
    for index, item in enumerate(reader.items(value, ("steps",), "a list of steps", "e.g. - id: fetch", MAX_STEPS)):
        path = ("steps", index)
        data = reader.keys(item, path, _STEP_KEYS, ("id", "component"))
        step_id = ""
        if "id" in data:
            step_id = reader.text(data["id"], (*path, "id"), limit=100, pattern=SLUG, hint=SLUG_HINT)
        if step_id in places:
            reader.refuse((*path, "id"), f"{step_id} is already the id of steps[{places[step_id]}]", "rename one")
        elif step_id:
            places[step_id] = index
        component = reader.choice(data["component"], (*path, "component"), COMPONENTS) if "component" in data else ""
        settings: dict[str, Any] = {}
        if component in COMPONENTS:
            settings = read_with(reader, component, data.get("with"), (*path, "with"))
        if component == "flow" and settings.get("flow") == flow_id != "":
            reader.refuse((*path, "with", "flow"), "a flow cannot start itself", "name another flow")
        steps.append(
            StepDefinition(
                id=step_id,
                name=reader.text(data["name"], (*path, "name")) if "name" in data else "",
                component=component,
                with_=settings,
                timeout=_seconds(reader, data["timeout"], (*path, "timeout")) if "timeout" in data else None,
                retry=_retry(reader, data.get("retry", {}), (*path, "retry"), retry),
            )
        )
    return tuple(steps)


def _check_templates(reader: Reader, value: Any, read: dict[str, Any]) -> None:
    """Every `${{ … }}` stands where one is filled and names something that is there."""
    raw_steps = value.get("steps")
    components = (
        [item.get("component") if isinstance(item, dict) else None for item in raw_steps or ()]
        if (isinstance(raw_steps, list))
        else []
    )
    places = {step.id: index for index, step in reversed(list(enumerate(read["steps"])))}
    for path, text, is_key in iterate_strings(value):
        if templates.OPENING not in text:
            continue
        component, key = _setting(path, components)
        if component == "command" and key == "run":
            continue
        if is_key or key not in TEMPLATE_KEYS.get(component, ()):
            where = "a key is taken literally" if is_key else "a template is not filled here"
            reader.refuse(path, where, f"{templates.OPENING} … }}}} may stand in the values of {TEMPLATE_PLACES}")
            continue
        try:
            references = templates.find_in_text(text)
        except templates.TemplateError as error:
            reader.refuse(path, str(error), f"there are {templates.FORMS}")
            continue
        for reference in references:
            _check_reference(reader, path, reference, read, places)


def _setting(path: Path, components: list[Any]) -> tuple[Any, Any]:
    """(component, key) when the path lies in a step's `with`."""
    if len(path) >= 4 and path[0] == "steps" and isinstance(path[1], int) and path[2] == "with":
        component = components[path[1]]
        return (component if isinstance(component, str) else None), path[3]
    return None, None


def _check_reference(
    reader: Reader, path: Path, reference: templates.Reference, read: dict[str, Any], places: dict[str, int]
) -> None:
    name = reference.name
    if reference.root == "inputs" and read["inputs"] and name not in read["inputs"]:
        reader.refuse(path, f"unknown input {name}", f"declared: {', '.join(read['inputs'])}")
    elif reference.root == "secrets" and name not in read["secrets"]:
        reader.refuse(path, f"undeclared secret {name}", f"e.g. secrets: [{name}] at the top of the flow")
    elif reference.root == "steps":
        here = int(path[1])  # a template stands in a step's settings: steps[1].with…
        if places.get(name, MAX_STEPS) >= here:
            earlier = [step for step, index in places.items() if index < here]
            said = f"step {name} has not run yet here" if name in places else f"unknown step {name}"
            reader.refuse(path, said, f"earlier steps: {', '.join(earlier[-20:]) or 'none'}")
