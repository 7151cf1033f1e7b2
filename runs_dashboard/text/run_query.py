"""The typed query of the run list, `status:failed flow:orders order_id:4711 started:>2h`, and the address's names.

Form, typed query and address are three spellings of one question. Here it is a list of pairs: a name of the address
(`filters.RunFilter` knows what it means) and its value as text. No Django.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from .periods import is_period

if TYPE_CHECKING:
    from collections.abc import Iterable

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Qualifier:
    """What stands before a colon. kind: `words` (some of a list), `name`, `pair` (key and value; several must all
    fit), `flag` (yes or no), `moment` or `length`. name: in the address; negated: its name behind a minus."""

    word: str
    kind: str
    about: str
    example: str
    name: str = ""
    negated: str = ""
    aliases: tuple[str, ...] = ()


def _negatable(word: str, kind: str, about: str, example: str, name: str = "", aliases: tuple = ()) -> Qualifier:
    return Qualifier(word, kind, about, example, name or word, f"not_{name or word}", aliases)


QUALIFIERS = (
    _negatable("status", "words", "how it stands", "status:failed,stopped", aliases=("state", "is")),
    _negatable("flow", "words", "the flow's id", "flow:nightly-orders"),
    _negatable("trigger", "words", "what started it", "trigger:schedule"),
    _negatable("by", "words", "who started it", "by:ada", "user", ("user",)),
    _negatable("env", "name", "the environment it ran in", "env:production", "environment", ("environment",)),
    _negatable("tag", "pair", "a tag, with or without its value", "tag:team=blue"),
    _negatable("tracked", "pair", "a business key; order_id:4711 says the same", "tracked:order_id=4711"),
    Qualifier("started", "moment", "when: a length of time, a day, or days from..to", "started:>2h"),
    Qualifier("since", "name", "by their start, or their making while they wait", "since:2026-11-20T00:00Z", "since"),
    Qualifier("until", "name", "the same, before a time", "until:2026-11-22T00:00Z", "until"),
    Qualifier("duration", "length", "how long it took, or has taken by now", "duration:>5m", aliases=("took",)),
    Qualifier("component", "name", "with such a step, or one that ended so", "component:http=failed", "component"),
    Qualifier("level", "words", "lines of this level in its log", "level:error", "level"),
    Qualifier("warnings", "flag", "with or without warnings", "warnings:yes", "has_warnings"),
    Qualifier("reviewed", "flag", "looked at by somebody", "reviewed:no", "reviewed"),
    Qualifier(
        "unresolved", "flag", "failed, neither reviewed nor retried with success", "unresolved:yes", "unresolved"
    ),
    Qualifier("error", "name", "failures of one kind, by the name that the inbox gives it", "error:5f0c…", "error"),
    Qualifier("retried", "flag", "retried by a later run", "retried:no", "retried"),
    Qualifier("pinned", "flag", "kept whatever its age", "pinned:yes", "pinned"),
    Qualifier("parent", "name", "sub-runs of the run with this id", "parent:0192…", "parent_run_id"),
    Qualifier("version", "name", "the flow version's id", "version:5f0c…", "flow_version_id"),
    Qualifier("bulk", "name", "taken by the bulk action with this id, or made by it", "bulk:5f0c…", "bulk"),
)
BY_WORD = {word: one for one in QUALIFIERS for word in (one.word, *one.aliases)}
BY_NAME = {name: one for one in QUALIFIERS for name in (one.name, one.negated) if name}
MOMENTS = ("started_on", "started_after", "started_before")
LENGTHS = ("duration_over", "duration_under")
BY_NAME |= dict.fromkeys(MOMENTS, BY_WORD["started"]) | dict.fromkeys(LENGTHS, BY_WORD["duration"])
NAMES = (
    *(one.name for one in QUALIFIERS if one.name),
    *MOMENTS,
    *LENGTHS,
    *(one.negated for one in QUALIFIERS if one.negated),
    "search",
)
SHOWN = 60  # characters of what was typed, in a sentence about it
LIKENESS = 0.8  # of a word to a qualifier, from which on it is taken for a slip of the pen
YES, NO = ("yes", "true", "1", "on"), ("no", "false", "0")
_TOKEN = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*(?:"|$))+', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)', re.DOTALL)
_KEY = re.compile(r'(-?)([^\s:"=]+):')
_ASSIGNED = re.compile(r"(-?)([A-Za-z_][\w.-]*)=(.+)", re.DOTALL)
_PLAIN_KEY = re.compile(r'[^\s:"=\\-][^\s:"=\\]*')
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass
class Asked:
    """What a typed query asks for; `problems` are sentences, for what of it could not be understood."""

    pairs: Pairs = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        kind = BY_NAME[name].kind if name in BY_NAME else ""
        if kind in ("name", "moment", "length", "flag") and any(name == known for known, _ in self.pairs):
            self.problems.append(f"{BY_NAME[name].word}: is asked for twice, and there is one answer to it.")
        else:
            self.pairs.append((name, value))


def parse(text: str) -> Asked:
    """The question that a text asks: qualifiers, `key:value` of tracked data, and words to look for."""
    asked, words = Asked(), []
    for token in _TOKEN.findall(text):
        found = _KEY.match(token) if not token.startswith('"') else None
        if found and (found[2].lower() in BY_WORD or not token[found.end() :].startswith("//")):  # an address is text
            _read(asked, found[2], unquote(token[found.end() :]).strip(), is_negated=bool(found[1]), token=token)
        elif assigned := _ASSIGNED.fullmatch(token):
            _read(asked, assigned[2], unquote(assigned[3]).strip(), is_negated=bool(assigned[1]), token=token)
        else:
            words.append(unquote(token))
    if said := " ".join(words).strip():
        asked.add("search", said)
    asked.pairs = tidy(asked.pairs)
    return asked


def write(pairs: Iterable[tuple[str, str]]) -> str:
    """The query that asks for these pairs. Reading it gives them again, tidied."""
    given = tidy(pairs)
    kept = dict(given)
    said: list[str] = []
    for name, value in given:
        qualifier = BY_NAME.get(name)
        if name == "search":
            said.append(_write_words(value))
        elif qualifier is None:
            continue
        elif qualifier.kind == "moment":
            said += _write_moment(name, kept)
        elif qualifier.kind == "length":
            said += _write_length(name, kept)
        elif qualifier.kind == "flag":
            said.append(f"{qualifier.word}:{_say_flag(value)}")
        else:
            sign = "-" if name == qualifier.negated else ""
            said.append(sign + _write_value(qualifier, value))
    return " ".join(said)


def tidy(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """The same question in its one spelling: names in their order, each once unless several pairs must all fit."""
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        value = text.strip()
        if name in NAMES and value:
            found.setdefault(name, []).append(value)
    tidied: Pairs = []
    for name in NAMES:
        values = found.get(name, [])
        if not values:
            continue
        kind = BY_NAME[name].kind if name in BY_NAME else "name"
        if kind == "pair":
            tidied += [(name, value) for value in dict.fromkeys(tidy_pair(value) for value in values)]
        elif kind == "words":
            parts = [part.strip() for value in values for part in value.split(",")]
            if joined := ",".join(dict.fromkeys(part for part in parts if part)):
                tidied.append((name, joined))
        elif kind == "flag":
            tidied.append((name, _read_flag(values[-1])))
        else:
            tidied.append((name, values[-1]))
    return tidied


def split_pair(text: str) -> tuple[str, str | None]:
    """The key and the value of `key:value` or `key=value`; no value where there is no sign between."""
    cut = min((place for place in (text.find(":"), text.find("=")) if place > 0), default=-1)
    if cut < 0:
        return text, None
    return text[:cut].strip(), text[cut + 1 :].strip()


def tidy_pair(text: str) -> str:
    key, value = split_pair(text.strip())
    return key if value is None else f"{key}:{value}"


def unquote(text: str) -> str:
    """The text without its quotation marks; within them `\\"` and `\\\\` are one character."""
    return _QUOTED.sub(lambda found: re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL), text)


def quote(text: str, *, is_always: bool = False) -> str:
    """The text as one value: in quotation marks where it would else be read as several."""
    if text and not is_always and not re.search(r'[\s"]', text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def say_allowed() -> str:
    return ", ".join(f"{one.word}:" for one in QUALIFIERS)


# --- reading ----------------------------------------------------------------------------------------------------


def _read(asked: Asked, key: str, value: str, *, is_negated: bool, token: str) -> None:
    token = token if len(token) <= SHOWN else f"{token[:SHOWN]}…"
    qualifier = BY_WORD.get(key.lower())
    if qualifier is None:
        near = get_close_matches(key.lower(), BY_WORD, 1, LIKENESS)
        if near:
            asked.problems.append(
                f"There is no filter {key}: – did you mean {near[0]}:? The filters are {say_allowed()}. "
                f"For tracked data of that name write {_write_value(BY_WORD['tracked'], f'{key}:{value}')}."
            )
        elif not value:
            asked.problems.append(f"{token} has no value. The filters are {say_allowed()}.")
        else:
            asked.add("not_tracked" if is_negated else "tracked", f"{key}:{value}")
        return
    if not value:
        asked.problems.append(f"{token} has no value: write for example {qualifier.example}.")
        return
    name = qualifier.negated if is_negated else qualifier.name
    match qualifier.kind:
        case "moment" | "length" if is_negated:
            asked.problems.append(f"{token} cannot be negated: turn < and > round.")
        case "moment":
            _read_range(asked, value, token, "started_after", "started_before", alone="started_on")
        case "length":
            _read_range(asked, value, token, "duration_over", "duration_under", alone="duration_over")
        case "flag":
            word = _read_flag(value)
            if word not in ("true", "false"):
                asked.problems.append(f"{token} asks for yes or no: write for example {qualifier.example}.")
            elif is_negated:
                asked.add(qualifier.name, "false" if word == "true" else "true")
            else:
                asked.add(qualifier.name, word)
        case _ if not name:
            asked.problems.append(f"{token} cannot be negated.")
        case "words":
            asked.add(name, value if qualifier.word == "by" else value.lower())
        case _:
            asked.add(name, value)


def _read_range(asked: Asked, value: str, token: str, low: str, high: str, *, alone: str) -> None:
    """`>2h`, `<2h`, `from..to` or one value. The last day of a range belongs to it."""
    if ".." in value:
        first, _, last = (part.strip() for part in value.partition(".."))
        first, last = (part.lstrip("<>=*").strip() for part in (first, last))
        if ".." in last or not (first or last):
            asked.problems.append(f"{token} is no range: write it as from..to.")
            return
        if first:
            asked.add(low, first)
        if last:
            asked.add(high, _next_day(last, 1) if alone == "started_on" else last)
        return
    sign = value[:1] if value[:1] in "<>" else ""
    plain = value.lstrip("<>= ")
    if not plain:
        asked.problems.append(f"{token} has no value.")
    elif sign:
        asked.add(low if sign == ">" else high, plain)
    else:
        asked.add(low if is_period(plain) else alone, plain)


def _next_day(text: str, days: int) -> str:
    """A date moved by some days; any other text as it is."""
    if not _DAY.fullmatch(text):
        return text
    try:
        return (date.fromisoformat(text) + timedelta(days=days)).isoformat()
    except (ValueError, OverflowError):
        return text


def _read_flag(text: str) -> str:
    word = text.lower()
    return "true" if word in YES else "false" if word in NO else text


# --- writing ----------------------------------------------------------------------------------------------------


def _say_flag(value: str) -> str:
    return {"true": "yes", "false": "no"}.get(value, quote(value))


def _write_words(value: str) -> str:
    """Words to look for, as they are where they are read so again."""
    return quote(value, is_always=parse(value).pairs != [("search", value)])


def _write_value(qualifier: Qualifier, value: str) -> str:
    if qualifier.kind != "pair":
        return f"{qualifier.word}:{quote(value)}"
    key, of_key = split_pair(value)
    if of_key is None:
        return f"{qualifier.word}:{quote(value)}"
    if qualifier.word == "tracked" and _is_plain_key(key) and of_key and not of_key.startswith("//"):
        return f"{key}:{quote(of_key)}"
    return f"{qualifier.word}:{quote(f'{key}={of_key}')}"


def _is_plain_key(key: str) -> bool:
    """Whether `key:value` is read as tracked data."""
    is_free = key.lower() not in BY_WORD and not get_close_matches(key.lower(), BY_WORD, 1, LIKENESS)
    return is_free and _PLAIN_KEY.fullmatch(key) is not None


def _write_moment(name: str, kept: dict[str, str]) -> list[str]:
    first, last = kept.get("started_after", ""), kept.get("started_before", "")
    is_range = bool(_DAY.fullmatch(first) and _DAY.fullmatch(last) and first < last and _next_day(last, -1) != last)
    if name == "started_on":
        return [f"started:{quote(kept[name])}"]
    if is_range:
        return [f"started:{first}..{_next_day(last, -1)}"] if name == "started_after" else []
    return [f"started:{'>' if name == 'started_after' else '<'}{quote(kept[name])}"]


def _write_length(name: str, kept: dict[str, str]) -> list[str]:
    if all(is_period(kept.get(one, "")) for one in LENGTHS):
        return [f"duration:{kept['duration_over']}..{kept['duration_under']}"] if name == "duration_over" else []
    return [f"duration:{'>' if name == 'duration_over' else '<'}{quote(kept[name])}"]
