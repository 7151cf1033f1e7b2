"""A flow's definition for reading: its steps, inputs and limits in words; of secrets the names alone."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..definition import templates
from .fields import as_text
from .words import say_duration, say_size

if TYPE_CHECKING:
    from ..definition.schema import Definition, Retry, StepDefinition

TEXT_LENGTH = 600  # characters of one setting: the YAML beside it has the whole
ICONS = {"command": "start", "http": "api", "approval": "hand", "flow": "sub"}
KINDS = {"inputs": "input", "steps": "step", "environment": "variable", "secrets": "secret", "run": "run"}


@dataclass(frozen=True)
class Need:
    """Something that a step looks up: kind (`input`, `secret` …) and name, or the other step's id and its output."""

    kind: str
    name: str
    step: str = ""


@dataclass
class ReadStep:
    """A step for reading. does: what it does in one line; facts: word and text of its settings."""

    id: str
    name: str
    component: str
    picture: str
    does: str
    sub_flow: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)


@dataclass(frozen=True)
class ReadInput:
    name: str
    title: str
    kind: str
    rule: str
    default: str
    is_required: bool


def read_steps(definition: Definition) -> list[ReadStep]:
    return [_read_step(step) for step in definition.steps]


def _read_step(step: StepDefinition) -> ReadStep:
    read = ReadStep(step.id, step.name or step.id, step.component, ICONS.get(step.component, "runs"), "")
    settings = step.with_
    if step.component == "command":
        read.does = " ".join(quote(str(part)) for part in settings.get("run") or ())[:TEXT_LENGTH]
    elif step.component == "http":
        read.does = f"{settings.get('method', 'GET')} {settings.get('url', '')}"[:TEXT_LENGTH]
        if expected := settings.get("expect"):
            read.facts.append(("Expects", ", ".join(map(str, expected))))
    elif step.component == "approval":
        read.does = str(settings.get("message") or "Waits for somebody to approve it.")[:TEXT_LENGTH]
    elif step.component == "flow":
        read.sub_flow = str(settings.get("flow", ""))
        if args := settings.get("args"):
            read.facts.append(("Gives it", ", ".join(map(str, args))[:TEXT_LENGTH]))
        if environment := settings.get("environment"):
            read.facts.append(("In the environment", str(environment)))
    if step.timeout is not None:
        read.facts.append(("Stopped after", say_duration(1000 * step.timeout)))
    if step.retry.attempts > 1:
        read.facts.append(("Tried", say_retry(step.retry)))
    read.needs = _find_needs(settings)
    return read


def quote(part: str) -> str:
    """An argument as one would type it; of two ways the one that is easier to read."""
    quoted = shlex.quote(part)
    is_plain = quoted == part or "'" not in part or any(sign in part for sign in '"$`\\!')
    return quoted if is_plain else f'"{part}"'


def _find_needs(settings: Any) -> list[Need]:
    """What its templates look up, each once; nothing of a text that was stored before it could be checked."""
    try:
        found = templates.find(settings)
    except templates.TemplateError:
        return []
    needs = [
        Need(KINDS[one.root], ".".join(one.path[3:]), one.name)
        if one.root == "steps"
        else Need(KINDS[one.root], one.name)
        for one in found
    ]
    return list(dict.fromkeys(needs))


def read_inputs(definition: Definition) -> list[ReadInput]:
    return [
        ReadInput(
            name,
            str(spec.get("title") or ""),
            str(spec.get("format") or spec.get("type") or "string"),
            _say_rule(spec),
            as_text(spec["default"])[:TEXT_LENGTH] if "default" in spec else "",
            spec.get("required") is True,
        )
        for name, spec in definition.inputs.items()
    ]


def _say_rule(spec: dict[str, Any]) -> str:
    said = []
    if choices := spec.get("enum"):
        said.append("one of " + ", ".join(as_text(choice) for choice in choices))
    least, most = spec.get("minimum"), spec.get("maximum")
    if least is not None and most is not None:
        said.append(f"{least} to {most}")
    elif least is not None or most is not None:
        said.append(f"at least {least}" if least is not None else f"at most {most}")
    if "maxLength" in spec:
        said.append(f"at most {spec['maxLength']} characters")
    if "pattern" in spec:
        said.append(f"like {spec['pattern']}")
    return "; ".join(said)[:TEXT_LENGTH]


def read_limits(definition: Definition) -> list[tuple[str, str]]:
    """What bounds a run and what is kept of it, in words; what the flow does not say is left out."""
    said: list[tuple[str, str]] = []
    if definition.concurrency:
        said.append(("At a time", "one run" if definition.concurrency == 1 else f"{definition.concurrency} runs"))
    if definition.timeout is not None:
        said.append(("A run is stopped after", say_duration(1000 * definition.timeout)))
    if definition.retry.attempts > 1:
        said.append(("Each step is tried", say_retry(definition.retry)))
    if definition.heartbeat_timeout is not None:
        said.append(("Failed when silent for", say_duration(1000 * definition.heartbeat_timeout)))
    if definition.on_worker_lost == "queue":
        said.append(("If its worker dies", "the run is queued again"))
    if definition.environment:
        said.append(("Environment", definition.environment))
    if definition.secrets:
        said.append(("Secrets", ", ".join(definition.secrets)))
    if definition.retention:
        said.append(("Kept", _say_retention(definition.retention)))
    if definition.retry_webhook:
        said.append(("Retries are sent to", definition.retry_webhook[:TEXT_LENGTH]))
    return said


def _say_retention(rules: dict[str, int]) -> str:
    said = []
    if "days" in rules:
        said.append(f"{rules['days']:,} days" if rules["days"] else "for ever")
    if rules.get("bytes"):
        said.append(f"{say_size(rules['bytes'])} of log")
    if rules.get("runs"):
        said.append(f"{rules['runs']:,} runs")
    return ", ".join(said)


def say_retry(retry: Retry) -> str:
    """`up to 3 times, 5.0 s apart and then doubling`."""
    said = f"up to {retry.attempts} times"
    return f"{said}, {say_duration(1000 * retry.backoff)} apart and then doubling" if retry.backoff else said
