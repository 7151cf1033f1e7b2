"""How many runs are retried at once: version, environment, and inputs that all of them get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..definition.inputs import InputError, faults, from_form
from ..models import BulkRetry, Flow
from .access import read_text
from .fields import ALL, ALL_NAME, PREFIX, Field, make_fields, read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

    from ..models import Tenant

ON_OFF = ("on", "off")
SLUG_LENGTH = 200


@dataclass
class BulkRetryForm:
    """What the form shows. flow: the one whose inputs have fields; others: the changes as JSON."""

    start_at: str
    is_newest: bool
    is_newest_environment: bool
    flow: Flow | None
    fields: list[Field]
    others: Field

    @property
    def is_open(self) -> bool:
        """Whether something is changed, or was said wrongly."""
        return any(one.value or one.problems for one in [*self.fields, self.others])


def make_form(sent: QueryDict, flow: Flow | None, problems: list[tuple[str, str]]) -> BulkRetryForm:
    """The form as it was sent. flow: that all the runs are of; problems: what was wrong, by input."""
    inputs = flow.definition.inputs if flow else {}
    fields = make_fields(_loosen(inputs), {}, problems, sent) if inputs else []
    for one in fields:
        one.blank = "as it was"
    others = Field(ALL, "Other inputs" if fields else "Changed inputs", "textarea", sent.get(ALL_NAME, ""))
    others.problems = [f"{name}: {said}" if name else said for name, said in problems if name not in inputs]
    return BulkRetryForm(
        start_at=read_start(sent),
        is_newest=sent.get("version") == "newest",
        is_newest_environment=sent.get("environment") == "newest",
        flow=flow if fields else None,
        fields=fields,
        others=others,
    )


def read_form(tenant: Tenant, sent: QueryDict) -> BulkRetry:
    """What the form asks for; an empty field leaves the input as each run has it. Raises InputError."""
    slug = read_text(sent, "of", SLUG_LENGTH)
    flow = Flow.objects.of(tenant).filter(slug=slug).select_related("latest").first() if slug else None
    inputs = flow.definition.inputs if flow else {}
    texts = {name: text for name in inputs if (text := str(sent.get(PREFIX + name, ""))).strip()}
    changes = from_form({name: inputs[name] for name in texts}, texts)
    problems = [(name, said) for name, value in changes.items() for said in faults(inputs[name], value)]
    try:
        changes = {**read_object(sent.get(ALL_NAME, "")), **changes}
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return BulkRetry(
        read_start(sent), sent.get("version") == "newest", sent.get("environment") == "newest", changes
    ).check()


def read_start(sent: QueryDict) -> str:
    return "start" if sent.get("start_at") == "start" else "failed"


def _loosen(inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Inputs that may all stay as they were: no defaults, and boxes as a choice of three."""
    loose = {}
    for name, spec in inputs.items():
        loose[name] = {key: value for key, value in spec.items() if key not in ("default", "required")}
        if spec.get("type") == "boolean":
            loose[name] |= {"type": "string", "enum": list(ON_OFF)}
    return loose
