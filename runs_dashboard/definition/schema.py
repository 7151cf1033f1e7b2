"""A flow's definition as immutable values: what a flow version stores and what the engine runs."""

import hashlib
import json
from typing import Any, Literal

import msgspec

FlowType = Literal["automation", "selfServiceAction", "scorecard", "reference"]
OnWorkerLost = Literal["fail", "queue"]


class Retry(msgspec.Struct, frozen=True):
    """How often a step is tried: `attempts` in all, `backoff` seconds before the second, then doubling."""

    attempts: int = 1
    backoff: float = 0.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the failed `attempt` (counted from 1) before the next one."""
        return self.backoff * 2.0 ** min(attempt - 1, 30)


class StepDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `with_` holds its component's defaults too; templates in it are still to be filled."""

    id: str
    component: str
    name: str = ""
    with_: dict[str, Any] = msgspec.field(default_factory=dict, name="with")
    timeout: float | None = None
    retry: Retry = Retry()


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A whole flow. Times are seconds; `inputs` keeps the order in which the start form shows them."""

    id: str
    name: str
    description: str = ""
    type: FlowType = "automation"
    schedule: str | None = None
    timezone: str = "UTC"
    inputs: dict[str, dict[str, Any]] = {}
    timeout: float | None = None
    concurrency: int | None = None
    retry: Retry = Retry()
    heartbeat_timeout: float | None = None
    secrets: tuple[str, ...] = ()
    environment: str | None = None
    on_worker_lost: OnWorkerLost = "fail"
    retry_webhook: str | None = None
    tags: dict[str, str] = {}
    retention: dict[str, int] | None = None
    log: dict[str, int] | None = None
    steps: tuple[StepDefinition, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Plain JSON data in the words of the YAML file; what has its default is left out."""
        data = _without_defaults(self)
        data["name"] = self.name
        if self.steps:
            data["steps"] = [self._step_data(step) for step in self.steps]
        return data

    def _step_data(self, step: StepDefinition) -> dict[str, Any]:
        data = _without_defaults(step)
        data.pop("retry", None)
        if step.retry != self.retry:
            data["retry"] = msgspec.to_builtins(step.retry)
        return data

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Definition":
        """The definition that `to_data` wrote. Raises ValueError where the data is no such thing.

        For data written by hand use `yaml_source.from_json_data`, which checks and explains.
        """
        try:
            retry = data.get("retry", {})
            steps = [{"retry": retry, **step} for step in data.get("steps", ())]
            return msgspec.convert({**data, "steps": steps}, cls)
        except (msgspec.ValidationError, AttributeError, TypeError) as error:
            raise ValueError(f"not a stored flow definition: {error}") from error

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON: equal for definitions that mean the same."""
        text = json.dumps(self.to_data(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def step(self, step_id: str) -> StepDefinition:
        """The step with this id. Raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


def _without_defaults(value: Definition | StepDefinition) -> dict[str, Any]:
    """The fields that differ from their default, under their outside names."""
    data = {}
    for info in msgspec.structs.fields(value):
        field = getattr(value, info.name)
        default = info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
        if field != default:
            data[info.encode_name] = list(field) if isinstance(field, tuple) else msgspec.to_builtins(field)
    return data
