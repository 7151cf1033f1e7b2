"""YAML text to plain data and the line of every value, safely.

Built from libyaml's events, not by a loader: no tag is ever resolved, an alias is expanded under a cap, and
only null, true, false and JSON's numbers become anything but text: `on`, `08` and 2026-11-22 stay as written.
"""

import re
from typing import Any, NoReturn

import yaml

from runs_dashboard.definition.plain import MAX_DEPTH, MAX_NODES, fault_in_text
from runs_dashboard.definition.problems import DefinitionError, Path, Problem, format_path, show

MAX_BYTES = 256 * 1024
MAX_ALIASES = 200

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?")

Lines = dict[Path, int]


def read_tree(text: str | bytes) -> tuple[Any, Lines, list[Problem]]:
    """Text or UTF-8 bytes to (data, line of every path, problems that do not hinder going on).

    Raises DefinitionError for what cannot be read at all: size, encoding, syntax, depth, alias bombs.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(_decode(text), Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        raise DefinitionError([_syntax_problem(error)]) from error
    if not builder.documents:
        _refuse(1, "the file is empty", "e.g. id: my-flow, name: My flow, steps: [...]")
    return builder.root, builder.lines, builder.problems


def _decode(source: str | bytes) -> str:
    if len(source) > MAX_BYTES:
        _refuse(1, "the file is larger than 256 kB", "move long texts into files that the steps read")
    text = source if isinstance(source, str) else _from_utf8(source)
    if fault := fault_in_text(text):
        line = next((number for number, row in enumerate(text.split("\n"), 1) if fault_in_text(row)), 1)
        _refuse(line, f"the text {fault}", "remove it")
    return text.removeprefix("\ufeff")


def _from_utf8(source: bytes) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        _refuse(line, "the file is not UTF-8", "save it in that encoding")


class _Builder:
    """Takes YAML events one by one. A frame is an open mapping or list: (path, container, pending key)."""

    def __init__(self) -> None:
        self.root: Any = None
        self.lines: Lines = {}
        self.problems: list[Problem] = []
        self.documents = 0
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Any] = {}
        self._open_anchors: list[str | None] = []
        self._aliases = 0
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    _refuse(line, "the file holds more than one document", "put each flow into a file of its own")
            case yaml.AliasEvent():
                self._put_alias(event.anchor or "", line)
            case yaml.ScalarEvent():
                self._check_tag(event, line)
                if self._is_key_next():
                    self._start_key(event.value, line)
                else:
                    value = self._resolve(event, line)
                    self._anchor(event.anchor, value)
                    self._put(value, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check_tag(event, line)
                self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self._frames.pop()
                self._anchor(self._open_anchors.pop(), frame.container)

    def _open(self, container: dict | list, anchor: str | None, line: int) -> None:
        if self._is_key_next():
            _refuse(line, "expected a key that is plain text, not a list or mapping", "e.g. name: value")
        if len(self._frames) >= MAX_DEPTH:
            _refuse(line, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        path = self._put(container, line)
        self._frames.append(_Frame(path, container))
        self._open_anchors.append(anchor)

    def _is_key_next(self) -> bool:
        return bool(self._frames) and self._frames[-1].wants_key

    def _start_key(self, key: str, line: int) -> None:
        frame = self._frames[-1]
        if fault := fault_in_text(key):
            self._note(line, frame.path, f"a key {fault}", "remove it")
        if key == "<<":
            self._note(
                line,
                (*frame.path, key),
                "merge keys are not supported",
                "write the keys out, or alias a whole value",
            )
        if key in frame.container:
            first = self.lines.get((*frame.path, key), line)
            self._note(line, (*frame.path, key), f"the key is already given on line {first}", "keep one of the two")
        frame.key = key
        frame.key_line = line

    def _put(self, value: Any, line: int) -> Path:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            _refuse(line, f"more than {MAX_NODES:,} values", "aliases count as often as they are used")
        if not self._frames:
            self.root = value
            self.lines[()] = line
            return ()
        frame = self._frames[-1]
        if isinstance(frame.container, list):
            path = (*frame.path, len(frame.container))
            frame.container.append(value)
        else:
            key, frame.key = frame.key or "", None
            path, line = (*frame.path, key), frame.key_line
            frame.container[key] = value
        self.lines[path] = line
        return path

    def _put_alias(self, anchor: str, line: int) -> None:
        self._aliases += 1
        if self._is_key_next():
            _refuse(line, "an alias cannot be a key", "write the key out")
        if anchor in self._open_anchors:
            _refuse(line, f"the alias *{anchor[:60]} contains itself", "write the value out")
        if anchor not in self._anchors:
            _refuse(
                line,
                f"the alias *{anchor[:60]} is not anchored above",
                f"e.g. &{anchor[:60]} at the first use",
            )
        if self._aliases > MAX_ALIASES:
            _refuse(line, f"more than {MAX_ALIASES} aliases", "write the values out")
        self._put_copy(self._anchors[anchor], line)

    def _put_copy(self, value: Any, line: int) -> None:
        """Expands an alias, every value counted: a bomb meets the cap before it takes memory."""
        if not isinstance(value, dict | list):
            self._put(value, line)
            return
        self._open(type(value)(), None, line)
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if isinstance(value, dict):
                self._start_key(key, line)
            self._put_copy(item, line)
        self._frames.pop()
        self._open_anchors.pop()

    def _anchor(self, anchor: str | None, value: Any) -> None:
        if anchor is not None:
            self._anchors[anchor] = value

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, line: int) -> None:
        if event.tag is not None and event.tag != "!":
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._note(
                line,
                self._next_path(),
                f"the tag {show(tag)} is refused",
                "write plain values; quote what must stay text",
            )

    def _next_path(self) -> Path:
        if not self._frames:
            return ()
        frame = self._frames[-1]
        if isinstance(frame.container, list):
            return (*frame.path, len(frame.container))
        return frame.path if frame.key is None else (*frame.path, frame.key)

    def _resolve(self, event: yaml.ScalarEvent, line: int) -> Any:
        text = event.value
        if fault := fault_in_text(text):
            self._note(line, self._next_path(), f"the text {fault}", "remove it")
        if event.style or event.tag:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if len(text) > 40 or not _FLOAT.fullmatch(text):
            return text
        if _INTEGER.fullmatch(text):
            if len(text.lstrip("+-")) <= 18:
                return int(text)
        elif abs(number := float(text)) <= 1e300:
            return number
        self._note(line, self._next_path(), f"the number {text} is too large", "quote it to keep it as text")
        return text

    def _note(self, line: int, path: Path, message: str, hint: str) -> None:
        self.problems.append(Problem(line, format_path(path), message, hint))


class _Frame:
    __slots__ = ("container", "key", "key_line", "path")

    def __init__(self, path: Path, container: dict | list):
        self.path = path
        self.container = container
        self.key: str | None = None
        self.key_line = 0

    @property
    def wants_key(self) -> bool:
        return isinstance(self.container, dict) and self.key is None


def _refuse(line: int, message: str, hint: str) -> NoReturn:
    raise DefinitionError([Problem(line, "", message, hint)])


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", "") or "not readable").split())
    context = getattr(error, "context", None)
    if context:
        said = f"{said} {context}"
    return Problem(
        mark.line + 1 if mark else 1,
        "",
        f"not valid YAML: {said}",
        "check the indentation, colons and quotes here",
    )
