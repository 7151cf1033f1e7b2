"""What is wrong with a flow definition, said so that its author can put it right."""

import json
import re
from dataclasses import dataclass

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True)
class Problem:
    """One mistake. `line` counts from 1, 0 where there is no text (JSON from the admin)."""

    line: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        said = self.message
        if self.hint:
            said += (", " if self.hint.startswith("e.g.") else "; ") + self.hint
        return f"{self.path}: {said}" if self.path else said


class DefinitionError(ValueError):
    """A definition that is refused whole; `problems` holds every mistake found, in the order of the lines."""

    def __init__(self, problems: list[Problem], source: str = ""):
        self.problems = problems
        self.source = source
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(self._place(problem) + str(problem) for problem in self.problems)

    def _place(self, problem: Problem) -> str:
        if not self.source:
            return ""
        return f"{self.source}:{problem.line}: " if problem.line else f"{self.source}: "


def format_path(path: Path) -> str:
    """`("steps", 1, "with")` as `steps[1].with`; a key with unusual characters is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{show(part)}]"
    return text


def show(value: object, limit: int = 60) -> str:
    """A value as JSON on one line, cut to `limit` characters: for messages."""
    if isinstance(value, str):
        value = value[: limit * 2]
    elif isinstance(value, dict):
        return "a mapping"
    elif isinstance(value, list):
        return "a list"
    text = json.dumps(value, default=lambda odd: type(odd).__name__)
    return text if len(text) <= limit else text[: limit - 2] + '…"'
