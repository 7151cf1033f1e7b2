"""From a flow's YAML text, or the same as JSON data, to its Definition: all of it or nothing."""

from collections.abc import Mapping
from typing import Any

from runs_dashboard.definition.flow_reader import read_flow
from runs_dashboard.definition.plain import find_oddities
from runs_dashboard.definition.problems import DefinitionError, Path, Problem, format_path
from runs_dashboard.definition.reader import MAX_PROBLEMS, Reader
from runs_dashboard.definition.schema import Definition
from runs_dashboard.definition.yaml_tree import read_tree

__all__ = ["DefinitionError", "Problem", "from_json_data", "parse"]


def parse(text: str | bytes, *, source: str = "<file>") -> Definition:
    """The definition in a YAML file's text (str, or UTF-8 bytes).

    Raises DefinitionError with every mistake in it; `source` is the file's name for the messages.
    """
    try:
        data, lines, problems = read_tree(text)
    except DefinitionError as error:
        raise DefinitionError(error.problems, source) from error
    return _read(data, lines, problems, source)


def from_json_data(data: Any) -> Definition:
    """The definition in plain JSON data. Raises DefinitionError, whose problems have a path and no line."""
    oddities = [Problem(0, format_path(path), said, "write plain JSON") for path, said in find_oddities(data)]
    if oddities:
        raise DefinitionError(oddities[:MAX_PROBLEMS])
    return _read(data, {}, [], "")


def _read(data: Any, lines: Mapping[Path, int], noted: list[Problem], source: str) -> Definition:
    reader = Reader(lines)
    definition = read_flow(reader, data)
    problems = sorted([*noted, *reader.problems], key=lambda problem: problem.line)
    if definition is None or problems:
        if len(problems) > MAX_PROBLEMS:
            more = len(problems) - MAX_PROBLEMS
            problems = [
                *problems[:MAX_PROBLEMS],
                Problem(0, "", f"{more:,} more problems", "put these right first"),
            ]
        raise DefinitionError(problems, source)
    return definition
