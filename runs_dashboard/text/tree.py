"""A JSON value as a tree of HTML that works without scripts: the same for inputs, outputs, metrics, payloads.

What is shown is bounded in values, depth and characters, the nearest to the root first; whatever is left out is a row
that says how much and leads to it. Keys and values are escaped here or by the one renderer: the answer is safe HTML.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import quote

from .ansi import render_text, strip
from .redact import MASK

DEEPEST = 24
WIDEST = 50  # values shown of one object or list, but for the root
OPEN_SIZE = 6  # an object or list of at most so many values is open at first
OPEN_DEPTH = 2
OPEN_ROOT = 12  # with more of its own the root's are all closed at first
SHORT, LONG = 120, 4_000  # characters of a text that are seen at once, and that are on the page
MOST_CHARACTERS = 60_000  # of all texts of a tree; when they are used up each is shown short
MOST_KEY, MOST_PATH = 120, 400


class NoSuchValue(LookupError):
    """The pointer leads to nothing in the value."""


@dataclass
class _Node:
    key: str
    value: Any
    path: str
    pointer: str
    depth: int
    children: list[_Node] = field(default_factory=list)
    is_place: bool = False
    left: int = 0
    size: int = 0


def find_value(value: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) names within a value. Raises NoSuchValue."""
    for part in split_pointer(pointer):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif (
            isinstance(value, list) and part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            raise NoSuchValue(pointer)
    return value


def split_pointer(pointer: str) -> list[str]:
    """The keys that a JSON pointer goes through. Raises NoSuchValue for what is none."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise NoSuchValue(pointer)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def name_path(name: str, pointer: str, *, infix: str = "") -> str:
    """A pointer as people and templates write it: `inputs.lines[0].sku`. infix: stands behind the first key."""
    path = name
    for place, part in enumerate(split_pointer(pointer)):
        path = _join(path, part, is_place=part.isascii() and part.isdigit()) + (infix if not place else "")
    return path


def write_json(value: Any) -> str:
    """A value as indented JSON, its keys in their order."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def tree_html(
    value: Any, *, name: str, address: str = "", pointer: str = "", infix: str = "", most: int = 300, start: int = 0
) -> str:
    """The rows of an object or list, or the one value.

    name: what a path begins with, such as `inputs`; address: the page of the value, to which `?at=` a pointer leads
    (none: nothing leads anywhere); pointer: where `value` itself stands in it; infix: see name_path; most: values
    shown; start: so many of the root's are passed over.
    """
    root = _Node("", value, name_path(name, pointer, infix=infix), pointer, 0)
    _plan(root, most, start, infix)
    return _Writer(address).write_root(root, start)


def _plan(root: _Node, most: int, start: int, infix: str) -> None:
    """Gives nodes their children, level by level, as long as there is room for them."""
    queue = [root]
    for node in queue:  # which grows
        value = node.value
        if not isinstance(value, dict | list):
            continue
        node.size = len(value)
        first = start if node is root else 0
        room = min(most, most if node is root else WIDEST) if node.depth < DEEPEST else 0
        is_object = isinstance(value, dict)
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        after = infix if not node.pointer else ""
        for key, inner in islice(pairs, first, first + max(0, room)):
            text = str(key)
            path = _join(node.path, text, is_place=not is_object) + after
            pointer = f"{node.pointer}/{text.replace('~', '~0').replace('/', '~1')}"
            node.children.append(_Node(text, inner, path, pointer, node.depth + 1, is_place=not is_object))
        most -= len(node.children)
        node.left = max(0, node.size - first - len(node.children))
        queue += node.children


def _join(path: str, key: str, *, is_place: bool) -> str:
    if is_place:
        return f"{path}[{key}]"
    is_plain = key.replace("_", "a").replace("-", "a").isalnum()
    return f"{path}.{key}" if is_plain else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


class _Writer:
    def __init__(self, address: str) -> None:
        self.address = escape(address)
        self.room = MOST_CHARACTERS
        self.open_depth = OPEN_DEPTH

    def write_root(self, root: _Node, start: int) -> str:
        if root.size > OPEN_ROOT:
            self.open_depth = 0
        if not isinstance(root.value, dict | list):
            rows = f"<li{self._attributes(root)}>{self._leaf(root.value, root)}</li>"
        else:
            rows = "".join([self._row(child) for child in root.children]) + self._left(root, start)
        label = escape(strip(root.path[:MOST_PATH]))
        return f'<ul class="tree" tabindex="0" aria-label="{label}" data-address="{self.address}">{rows}</ul>'

    def _row(self, node: _Node) -> str:
        key = node.key if len(node.key) <= MOST_KEY else f"{node.key[:MOST_KEY]}…"
        kind = "key place" if node.is_place else "key"
        name = f'<span class="{kind}">{escape(strip(key))}</span>'
        head = f"<li{self._attributes(node)}>"
        if isinstance(node.value, dict | list) and node.size:
            is_open = node.depth < self.open_depth and node.size <= OPEN_SIZE and node.children
            rows = "".join([self._row(child) for child in node.children])
            return (
                f"{head}<details{' open' if is_open else ''}><summary>{name}{_say_size(node)}</summary>"
                f"<ul>{rows}{self._left(node)}</ul></details></li>"
            )
        return f"{head}{name}{self._leaf(node.value, node)}</li>"

    def _leaf(self, value: Any, node: _Node) -> str:
        if isinstance(value, dict | list):
            return '<span class="value">{}</span>' if isinstance(value, dict) else '<span class="value">[]</span>'
        if not isinstance(value, str):
            kind = "none" if value is None else "truth" if isinstance(value, bool) else "number"
            text = json.dumps(value)
            return f'<span class="value {kind}">{escape(text[:LONG])}</span>'
        if value == MASK:
            return f'<span class="value mask" title="A secret, masked">{MASK}</span>'
        if len(value) <= SHORT and "\n" not in value:
            return f'<span class="value text">{render_text(value)}</span>'
        shown = value[: LONG if self.room > 0 else SHORT]
        self.room -= len(shown)
        rest = self._more(node, f"{len(value) - len(shown):,} more characters") if len(value) > len(shown) else ""
        begin = " ".join(strip(value[:SHORT]).split())
        size = f'<span class="size">{len(value):,} characters</span>'
        return (
            f'<details class="long"><summary><span class="value text">{escape(begin)}…</span>{size}</summary>'
            f'<pre class="value text" tabindex="0">{render_text(shown)}</pre>{rest}</details>'
        )

    def _left(self, node: _Node, start: int = 0) -> str:
        if not node.left:
            return ""
        count = len(node.children)
        said = f"{node.left:,} more values" if count else f"{node.left:,} values, not shown here"
        return f'<li class="left">{self._more(node, said, start + count)}</li>'

    def _more(self, node: _Node, said: str, start: int = 0) -> str:
        if not self.address:
            return f'<span class="left">{said}</span>'
        begin = f"&amp;from={start}" if start else ""
        return f'<a class="link left" href="{self.address}?at={quote(node.pointer)}{begin}">{said}</a>'

    def _attributes(self, node: _Node) -> str:
        path = escape(strip(node.path[:MOST_PATH]))
        return f' tabindex="-1" data-path="{path}" data-at="{escape(quote(node.pointer))}"'


def _say_size(node: _Node) -> str:
    sign = "{%s}" if isinstance(node.value, dict) else "[%s]"
    return f'<span class="size">{sign % format(node.size, ",")}</span>'
