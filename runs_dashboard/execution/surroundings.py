"""What a run's steps see: look-ups, secrets, a small environment, a working folder. Never the server's own secrets."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from ..definition.inputs import variable
from ..definition.templates import to_text
from ..text.intake import Redactor

if TYPE_CHECKING:
    from ..definition.schema import Definition, StepDefinition
    from ..models import Run

# What a flow may not name under `secrets`: with them a step would own the server.
OWN_SECRETS = frozenset({"SECRET_KEY", "DATABASE_URL", "BROKER_URL"})
PASSED_ON = ("LANG", "TZ")
# execve(2) takes 128 KB a variable, and all together share the room with the arguments.
VARIABLE_MAX_BYTES = 64 * 1024
VARIABLES_MAX_BYTES = 512 * 1024


class MissingSecret(Exception):
    """A secret that the flow names is not in the worker's environment."""


class Surroundings:
    """Made once a run, in the worker. `outputs` holds those of the steps that succeeded so far."""

    def __init__(self, run: Run, definition: Definition) -> None:
        self.run, self.definition = run, definition
        self.secrets = {
            name: os.environ[name] for name in definition.secrets if name in os.environ and name not in OWN_SECRETS
        }
        self.redactor = Redactor([*self.secrets.values(), *_server_secrets()])
        self.folder = work_folder() / f"{run.pk}-{run.token}"
        self.outputs: dict[str, Any] = {}
        version = run.environment_version
        self.environment: dict[str, str] = version.variables if version is not None else {}

    def check_secrets(self) -> None:
        """Raises MissingSecret."""
        missing = [name for name in self.definition.secrets if name not in self.secrets]
        if refused := [name for name in missing if name in OWN_SECRETS]:
            raise MissingSecret(f"{', '.join(refused)} belongs to the server and is not given to flows.")
        if missing:
            raise MissingSecret(f"The secret {', '.join(missing)} is not set in the worker's environment.")

    def warn_of_short_secrets(self) -> str:
        """A sentence about secrets that are too short to be masked, or nothing."""
        short = [name for name, value in self.secrets.items() if 0 < len(value.strip()) < 6]
        if not short:
            return ""
        return f"{', '.join(short)}: a secret of fewer than 6 characters is not masked, the log would be unreadable."

    def context(self) -> dict[str, Any]:
        """What `${{ … }}` looks up."""
        return {
            "inputs": self.run.args,
            "steps": {slug: {"outputs": outputs} for slug, outputs in self.outputs.items()},
            "environment": self.environment,
            "secrets": self.secrets,
            "run": {"id": self.run.uid},
        }

    def open_folder(self) -> Path:
        """The run's private folder, HOME and working directory of its programs; removed when the worker is done."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.folder

    def remove_folder(self) -> None:
        remove(self.folder)

    def program_environment(
        self, step: StepDefinition, attempt: int, own: dict[str, str]
    ) -> tuple[dict[str, str], list[str]]:
        """The whole environment of a step's program, and the names of inputs that are too long for it.

        own: the step's `env`, already filled. What the product itself says of the run cannot be replaced by it.
        """
        folder = self.open_folder()
        args_file = folder / ".run-args.json"
        args_file.write_text(json.dumps(self.run.args, ensure_ascii=False), encoding="utf-8", errors="replace")
        inputs, too_long = _as_variables(self.run.args)
        python = str(Path(sys.executable).parent)
        env = {
            "PATH": os.pathsep.join([python, os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")]),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            **self.secrets,
            **own,
            **inputs,
            "RUN_ID": self.run.uid,
            "STEP_ID": step.id,
            "FLOW_ID": self.run.flow.slug,
            "ATTEMPT": str(attempt),
            "RUN_ARGS": str(args_file),
            "RUN_REPORT": str(folder / f".report-{step.id}-{attempt}.ndjson"),
        }
        return env, too_long


def work_folder() -> Path:
    """Where the private folders of all runs lie, each named by its run's number and token."""
    return Path(settings.DATA_DIR) / "work"


def remove(folder: Path) -> None:
    """Removes a run's folder, whatever rights its programs left on what is in it. Raises OSError."""
    if not folder.exists():
        return
    for place, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(path := os.path.join(place, name)):
                os.chmod(path, 0o700)
    shutil.rmtree(folder)


def _as_variables(args: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    too_long: list[str] = []
    room = VARIABLES_MAX_BYTES
    for name, value in args.items():
        if value is None:
            continue
        text = to_text(value)
        size = len(text.encode()) + len(name)
        if size > VARIABLE_MAX_BYTES or size > room:
            too_long.append(name)
            continue
        room -= size
        found[variable(name)] = text
    return found, too_long


def _server_secrets() -> list[str]:
    """What must not be printed even if a program came to know it."""
    password = settings.DATABASES["default"].get("PASSWORD") or ""
    broker = unquote(urlsplit(settings.BROKER_URL).password or "")
    return [value for value in (settings.SECRET_KEY, password, broker) if len(value) >= 6]
