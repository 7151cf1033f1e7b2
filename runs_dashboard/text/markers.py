"""What a line says of the lines around it: where a fold begins and ends, and commands to whoever reads the log.

Folds: GitHub's `::group::name` and `::endgroup::`, Azure's `##[group]name` and `##[endgroup]`, GitLab's
`section_start:time:id` and `section_end:…`, Travis' `travis_fold:start:id`, and Buildkite's `--- name` (closed),
`+++ name` (open), `~~~ name` (closed, dimmed), `^^^ +++` (opens the fold that it stands in). Commands:
`::error file=a.py,line=1::text`, `##[warning]text`, `##vso[task.logissue type=error]text`.
"""

import re
from typing import NamedTuple

# Of all lines these alone are looked at closer: by their first character.
_FIRST = frozenset(":#-+~^st2\x1b\ufeff")

# What may stand before a marker: terminal sequences, a byte order mark, the time that a CI put there.
_BEFORE = r"(?:\x1b_[^\x07]{0,200}\x07|\x1b\[[0-9;]*[mK]|\ufeff|\d{4}-\d\d-\d\dT[\d:.]{8,20}Z[ ])*+"
# A heading has a name. What a diff, a test runner and ping print in the same form has another meaning.
_NO_HEADING = (
    r"(?!\[?[ab]/|/dev/null|(?:FAIL|PASS|SKIP|BENCH):|\S+\t|.{1,200}\d{4}-\d\d-\d\d[ ]\d\d:\d\d:\d\d|.*[ ]---\s*\Z)"
)
_MARKER = re.compile(
    rf"(?P<before>{_BEFORE})(?:"
    r"(?P<end>::endgroup::|\#\#\[endgroup\])"
    r"|(?P<group>::group(?:[ ][^:]{0,200})?::|\#\#\[group\])"
    rf"|(?P<section>---|\+\+\+|~~~)[ ]+(?=\S){_NO_HEADING}"
    r"|(?P<above>\^\^\^[ ]\+\+\+)\s*\Z"
    r"|(?P<gitlab>section_(?:start|end):\d{1,12}:[\w.\[\],=-]{1,200}[\r\s])"
    r"|(?P<travis>travis_fold:(?:start|end):[\w.-]{1,200}[\r\s])"
    r"|(?P<command>::[a-z-]{2,30}[ ]?)(?P<arguments>(?:[^:]|:(?!:)){0,1000})(?P<close>::)"
    r"|(?P<bracket>\#\#\[[a-z]{2,30}\])"
    r"|(?P<vso>\#\#vso\[[a-z.]{2,60}[ ]?)(?P<issue>[^\]]{0,1000})(?P<shut>\])"
    r")",
    re.VERBOSE | re.ASCII,
)
_GITLAB_START = re.compile(r"section_start:\d{1,12}:[\w.-]{1,200}(?P<options>\[[^\]\r]{0,100}\])?")
_STATES_LEVEL = re.compile(r"::(?:error|warning|debug)\b|##\[(?:error|warning|debug)\]|##vso\[task\.logissue ")
_SECTIONS = {"---": "section", "+++": "section open", "~~~": "section dim"}


class Marker(NamedTuple):
    """fold: what the line does to folds, in words; empty for a command.

    Words: `end` ends the innermost group; `group` begins one, which may lie in another; `section` begins one that ends
    where the next begins; `above` opens the one around it. Behind `group` and `section`, `open` says that it begins
    open, `dim` that it is of little interest. Pieces: the line in parts, each with what it is: nothing (text), `cmd`
    (tells a reader nothing beyond what the row's look does), `arg` (the rest of a command).
    """

    fold: str
    pieces: tuple[tuple[str, str], ...]


def read_marker(message: str) -> Marker | None:
    """The marker that a line is, or None: for nearly all lines after a look at their first character."""
    if message[:1] not in _FIRST:
        return None
    found = _MARKER.match(message)
    if found is None:
        return None
    before, kind, rest = found["before"], found.lastgroup, message[found.end() :]
    command = message[len(before) : found.end()]
    if kind in ("gitlab", "travis"):
        # Their first part is overwritten by what follows the carriage return: nothing of it is seen.
        return Marker(_read_overwritten(message), ((message, ""),))
    if kind in ("close", "shut"):
        names = ("command", "arguments", "close") if kind == "close" else ("vso", "issue", "shut")
        command, arguments, close = (found[name] for name in names)
        if _STATES_LEVEL.match(command):
            return Marker("", ((before, ""), (command, "cmd"), (arguments, "arg"), (close, "cmd"), (rest, "")))
        return Marker("", ((before, ""), (command + arguments + close, "arg"), (rest, "")))
    if kind == "section":
        return Marker(_SECTIONS[found["section"]], ((before, ""), (command, "cmd"), (rest, "")))
    is_told = kind == "group" or _STATES_LEVEL.match(command) is not None
    fold = "" if kind == "bracket" else kind or ""
    return Marker(fold, ((before, ""), (command, "cmd" if is_told else "arg"), (rest, "")))


def _read_overwritten(message: str) -> str:
    """GitLab ends a section and begins the next in one line; its sections are open unless they say otherwise."""
    words = ["end"] if "section_end:" in message or "travis_fold:end:" in message else []
    if found := _GITLAB_START.search(message):
        words.append("group nested" if "collapsed=true" in (found["options"] or "") else "group nested open")
    elif "travis_fold:start:" in message:
        words.append("group nested")
    return " ".join(words)
