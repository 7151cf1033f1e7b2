"""The level that a log line states about itself, read from its conventional place: its beginning.

The conventions: a word and its delimiter (`ERROR foo`, `[warn] foo`, `Error: foo`), the same behind a time,
process number, thread or logger name (log4j, Python, syslog, PostgreSQL, Apache, Rust …), glog and logcat letters
(`E0607 …`, `E/Tag`), apt's letters (`E: …`), RFC 5424 and sd-daemon priorities (`<3>`), logfmt (`level=error`),
compilers (`foo.c:1:2: error: …`), workflow commands (`::error::`, `##[error]`, `##vso[task.logissue type=error]`),
and JSON objects with `level`, `severity` or `lvl` as a word or as a number of bunyan and pino. A word elsewhere in the
line says nothing.
"""

import re
from typing import Any

import msgspec

LEVELS = ("debug", "info", "warning", "error", "critical")
LEVEL_NUMBERS = {name: number for number, name in enumerate(LEVELS)}
DEBUG, INFO, WARNING, ERROR, CRITICAL = range(5)

_WORDS = {
    **dict.fromkeys(["trace", "trc", "debug", "dbg", "fine", "finer", "finest", "verbose", "vrb"], DEBUG),
    **dict.fromkeys(["info", "inf", "information", "informational", "notice", "note", "log"], INFO),
    **dict.fromkeys(["warn", "warning", "wrn"], WARNING),
    **dict.fromkeys(["error", "err", "severe"], ERROR),
    **dict.fromkeys(["critical", "crit", "fatal", "ftl", "panic", "emerg", "emergency", "alert"], CRITICAL),
}
_LETTERS = {
    "V": DEBUG,
    "D": DEBUG,
    "I": INFO,
    "N": INFO,
    "W": WARNING,
    "E": ERROR,
    "F": CRITICAL,
    "C": CRITICAL,
}
_PRIORITIES = (CRITICAL, CRITICAL, CRITICAL, ERROR, WARNING, INFO, INFO, DEBUG)

_ANY_CASE = "(?i:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"
_UPPER = "(?:" + "|".join(sorted((word.upper() for word in _WORDS), key=len, reverse=True)) + ")"

# In capitals the word alone is enough; otherwise it needs a bracket, a colon or a column of its own.
_LEVEL = rf"""(?:
    [\[(<|]\ *(?:\w+:)?(?P<bracketed>{_ANY_CASE})\ *[\])>|:]
  | (?P<capitals>{_UPPER})(?=[\s:|\],!)]|/\w+\]|\[|\Z)
  | (?P<marked>{_ANY_CASE})(?:\[\w+\])?(?=:(?!:)|\t|\ \ |\ *[|\]]|\ -\ )
)"""
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
_TIME = rf"""(?:
    \d{{4}}[-/.]\d\d[-/.]\d\d(?:[T\ _,-]\ ?{_CLOCK})?
  | \d\d[-/.]\d\d(?:[-/.]\d\d(?:\d\d)?)?[\ T]{_CLOCK}
  | (?:[A-Z][a-z]{{2}}\ )?{_MONTH}\ +\d{{1,2}}\ {_CLOCK}(?:\ \d{{4}})?
  | {_CLOCK} | \d{{10}}(?:\d{{3}}|\.\d{{1,9}})?\b
)(?:\ ?(?:Z|UTC|GMT|CES?T|[+-]\d\d:?\d\d)\b)?"""
# What may stand between the time and the level, each with what separates it from what comes before.
_BETWEEN = r"""(?>[\s,;:|-]++(?>
    \d++\b | \[[^\]]{0,80}+\] | \([^)]{0,80}+\) | [\w.$-]{1,80}+(?=\ +[-|]\ )
  | [\w.-]{1,64}+\ [\w./()-]{1,64}+(?:\[\d+\])?: | [\w./()@-]{1,64}+\[\d+\]:? | \w{1,64}+@\w{1,64}+
))"""
_NOT_YET = rf"(?![\s,;:|-]*+{_LEVEL.replace('?P<', '?P<not_')})"
# Atomic groups throughout: a line that states nothing must cost no more than one that does.
_STATED = re.compile(
    rf"""\s*+(?:
        (?:(?!{_ANY_CASE}\b)[\w.:/-]{{1,80}}+\ ++(?:\|\ ++)?)??
        [\[(]?{_TIME}[\])]?(?:{_NOT_YET}{_BETWEEN}){{0,4}}+[\s,;:|-]*+(?:\#\#)?+
      | (?:\[\d+\]|npm|\#\#|::)\ ?
    )?+{_LEVEL}""",
    re.VERBOSE,
)
_TERSE = re.compile(
    r"(?P<glog>[IWEF])\d{4} \d\d:\d\d:\d\d"
    r"|(?P<slash>[VDIWEF])/\w"
    r"|(?P<apt>[EWN]): "
    r"|\d\d-\d\d \d\d:\d\d:\d\d\.\d+ +\d+ +\d+ (?P<logcat>[VDIWEF]) "
    r"|<(?P<priority>\d{1,3})>"
    r"|npm (?P<npm>ERR)!"
    r"|[\w./\\-]+:\d+(?::\d+)?: (?:fatal )?(?P<compiler>error|warning|note): "
    r"|::(?P<command>error|warning|notice|debug)(?: (?:[^:]|:(?!:))*)?::"
    r"|##vso\[task\.logissue [^\]]{0,500}?\btype=(?P<issue>error|warning)\b"
)
_LOGFMT = re.compile(r'(?:[\w.@-]+=(?:"[^"]{0,200}"|[^\s"]{0,200}) +){0,4}(?:level|lvl|severity)="?([A-Za-z]+)\b')
# Colours, and the times that Buildkite puts before its lines.
_UNSEEN = re.compile(r"\x1b\[[0-9;:]*[mK]|\x1b_[^\x07\x1b]*(?:\x07|\x1b\\)")


class _Stated(msgspec.Struct, gc=False):
    """The fields of a JSON line that can hold its level."""

    level: Any = None
    severity: Any = None
    lvl: Any = None
    levelname: Any = None


_decode = msgspec.json.Decoder(_Stated).decode


def detect_level(message: str) -> int:
    """A line in, its level out: 0 debug, 1 info, 2 warning, 3 error, 4 critical; info where it states none."""
    if "\x1b" in message:
        message = _UNSEEN.sub("", message[:1000])
    if message[:1] == "{":
        return _detect_json(message)
    if found := _STATED.match(message):
        return _WORDS[found[found.lastgroup or 0].lower()]
    if found := _TERSE.match(message):
        return _read_terse(found)
    if found := _LOGFMT.match(message):
        return _WORDS.get(found[1].lower(), INFO)
    return INFO


def _read_terse(found: re.Match[str]) -> int:
    kind = found.lastgroup
    text = found[kind or 0]
    if kind == "priority":
        # RFC 5424, 6.2.1: facility * 8 + severity, 191 at most.
        return _PRIORITIES[int(text) & 7] if int(text) <= 191 else INFO
    if kind in ("npm", "compiler", "command", "issue"):
        return _WORDS[text.lower()]
    return _LETTERS[text]


def _detect_json(message: str) -> int:
    try:
        stated = _decode(message)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return INFO
    for value in (stated.level, stated.severity, stated.lvl, stated.levelname):
        if isinstance(value, str):
            return _WORDS.get(value.lower(), INFO)
        if isinstance(value, int | float) and not isinstance(value, bool) and 10 <= value <= 60:
            # bunyan and pino: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal.
            return min(max(int(value) // 10 - 2, DEBUG), CRITICAL)
    return INFO
