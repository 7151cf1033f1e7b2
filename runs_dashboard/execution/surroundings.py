"""What a run's steps see: look-ups, secrets, a small environment, a working folder. Never the server's own secrets."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from ..definition.inputs import variable
from ..definition.templates import to_text
from ..models import Status
from ..text.intake import Redactor

if TYPE_CHECKING:
    from ..definition.schema import Definition, StepDefinition
    from ..models import Run

# What a flow may not name under `secrets`: with them a step would own the server.
OWN_SECRETS = frozenset({"SECRET_KEY", "DATABASE_URL", "BROKER_URL"})
PASSED_ON = ("LANG", "LC_ALL", "TZ")


class MissingSecret(Exception):
    """A secret that the flow names is not in the worker's environment."""


class Surroundings:
    """Made once a run, in the worker."""

    def __init__(self, run: Run, definition: Definition) -> None:
        self.run, self.definition = run, definition
        self.secrets = {
            name: os.environ[name] for name in definition.secrets if name in os.environ and name not in OWN_SECRETS
        }
        self.missing_secrets = [name for name in definition.secrets if name not in self.secrets]
        self.redactor = Redactor([*self.secrets.values(), *_server_secrets()])
        self.folder = Path(settings.DATA_DIR) / "work" / f"{run.pk}-{run.token}"
        version = run.environment_version
        self.environment: dict[str, str] = version.variables if version is not None else {}

    def check_secrets(self) -> None:
        if self.missing_secrets:
            refused = [name for name in self.missing_secrets if name in OWN_SECRETS]
            if refused:
                raise MissingSecret(f"{', '.join(refused)} belongs to the server and is not given to flows.")
            names = ", ".join(self.missing_secrets)
            raise MissingSecret(f"The secret {names} is not set in the worker's environment.")

    def warn_of_short_secrets(self) -> str:
        """A sentence about secrets that are too short to be masked, or nothing."""
        short = [name for name, value in self.secrets.items() if 0 < len(value.strip()) < 6]
        if not short:
            return ""
        return f"{', '.join(short)}: a secret of fewer than 6 characters is not masked, the log would be unreadable."

    def context(self) -> dict[str, Any]:
        """What `${{ … }}` looks up: read afresh for each step, since outputs grow."""
        steps = self.run.steps.filter(status=Status.SUCCEEDED).values_list("slug", "outputs")
        return {
            "inputs": self.run.args,
            "steps": {slug: {"outputs": outputs} for slug, outputs in steps},
            "environment": self.environment,
            "secrets": self.secrets,
            "run": {"id": self.run.uid},
        }

    def open_folder(self) -> Path:
        """The run's private folder, HOME and working directory of its programs; removed when the worker is done."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.folder

    def remove_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def program_environment(self, step: StepDefinition, attempt: int, own: dict[str, str]) -> dict[str, str]:
        """The whole environment of a step's program. own: the step's `env`, already filled."""
        folder = self.open_folder()
        args_file = folder / ".run-args.json"
        args_file.write_text(json.dumps(self.run.args, ensure_ascii=False), encoding="utf-8", errors="replace")
        python = str(Path(sys.executable).parent)
        env = {
            "PATH": os.pathsep.join([python, os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")]),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            **{variable(name): to_text(value) for name, value in self.run.args.items() if value is not None},
            "RUN_ID": self.run.uid,
            "STEP_ID": step.id,
            "FLOW_ID": self.run.flow.slug,
            "ATTEMPT": str(attempt),
            "RUN_ARGS": str(args_file),
            "RUN_REPORT": str(folder / f".report-{step.id}-{attempt}.ndjson"),
        }
        return env | self.secrets | own


def _server_secrets() -> list[str]:
    """What must not be printed even if a program came to know it."""
    password = settings.DATABASES["default"].get("PASSWORD") or ""
    return [value for value in (settings.SECRET_KEY, password) if len(value) >= 6]
