"""`command`: a program, given as a list of arguments, run as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from ...definition.templates import fill
from ...text.report import parse_report
from ..control import Interrupted, RunTimeout, StopAsked
from ..instance import scope_of
from ..patience import let_go, patiently
from ..process import CannotStart, Stop, supervise
from .task import Result, StepFailed, Task

if TYPE_CHECKING:
    from typing import Any

    from ..process import Outcome

REPORT_MAX_BYTES = 1_000_000


def perform(task: Task) -> Result:
    """Runs the program to its end. Raises StepFailed, StopAsked, Interrupted, RunTimeout, LeaseLost."""
    context = task.surroundings.context()
    own = {name: fill(str(value), context) for name, value in task.options.get("env", {}).items()}
    env, too_long = task.surroundings.program_environment(task.definition, task.step.attempt, own)
    if too_long:
        task.log.say(f"Too long for the environment: {', '.join(too_long)}. The file RUN_ARGS has all inputs.", level=2)
    report = Path(env["RUN_REPORT"])
    let_go()
    try:
        outcome = supervise(
            list(task.options["run"]),
            env=env,
            cwd=str(task.surroundings.folder),
            scope=scope_of(task.run),
            on_output=task.log.take,
            on_tick=lambda: _tick(task),
            on_stage=lambda stage, detail: _tell(task, stage, detail),
            grace=settings.STOP_GRACE_SECONDS,
            timeout=task.time_left(),
        )
    except CannotStart as error:
        raise StepFailed(f"The program could not be started: {error}") from None
    task.cpu_seconds += outcome.cpu_seconds
    outputs = _read_report(task, report)
    task.log.close()
    return _judge(task, outcome, outputs)


def _tick(task: Task) -> Stop | None:
    task.log.tick()
    return task.control.read()


def _tell(task: Task, stage: str, detail: dict[str, Any]) -> None:
    if stage == "leftovers":
        count = detail.get("count", 0)
        task.log.say(f"The program ended and left {count} running processes behind; they were ended.", level=2)
    elif stage == "beyond_reach":
        task.log.say(f"Processes {detail.get('pids')} cannot be signalled by this worker.", level=3)
        _climb(task, stage, detail)
    else:
        _climb(task, stage, detail)


def _climb(task: Task, stage: str, detail: dict[str, Any]) -> None:
    patiently(lambda: task.run.climb(stage, token=task.log.token, **detail))


def _judge(task: Task, outcome: Outcome, outputs: dict[str, Any]) -> Result:
    if outcome.reason == "timeout":
        if task.is_run_over():
            raise RunTimeout
        raise StepFailed(f"The step took longer than its {task.definition.timeout:g} s and was ended.", outputs=outputs)
    if outcome.reason is not None:
        raise StopAsked if task.control.is_stopping else Interrupted
    if outcome.signal is not None:
        raise StepFailed(f"The program was ended by signal {outcome.signal}.", outputs=outputs)
    if outcome.exit_code:
        told = task.log.describe_error()
        message = f"{told} (exit code {outcome.exit_code})" if told else f"Exit code {outcome.exit_code}."
        raise StepFailed(message, exit_code=outcome.exit_code, outputs=outputs)
    return Result(outputs=outputs, exit_code=0)


def _read_report(task: Task, path: Path) -> dict[str, Any]:
    """Takes what the program reported. A mistake in the report is said in the log, never a failure."""
    try:
        if path.is_symlink() or not path.is_file():
            return {}
        with path.open("rb") as file:
            data = file.read(REPORT_MAX_BYTES + 1)
    except OSError as error:
        task.log.say(f"The report file cannot be read: {error.strerror}.", level=2)
        return {}
    report = parse_report(data, max_bytes=REPORT_MAX_BYTES)
    for warning in report.warnings:
        task.log.write(warning, level=2)
    for problem in report.problems:
        task.log.say(f"Report file: {problem}", level=2)
    for name, value in report.metrics.items():
        task.count(name, value)
    task.tracked += [(task.mask(key), task.mask(value)) for key, value in report.tracked]
    outputs: dict[str, Any] = task.surroundings.redactor.redact_json(report.outputs)
    return outputs
