"""What may come next in a typed query: filters, then the names that the tenant knows. Bounded, and kept for a while."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.core.cache import cache

from ..models import RunTag, Status, TrackedData, Trigger
from ..text.run_query import BY_WORD, QUALIFIERS, quote, unquote
from .question_form import find_choices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Tenant
    from ..text.run_query import Qualifier

LIMIT = 10  # suggestions
KEEP_SECONDS = 30
Suggestions = list[tuple[str, str]]
MOMENTS = (
    (">1h", "in the last hour"),
    (">24h", "in the last 24 hours"),
    (">7d", "in the last 7 days"),
    ("<1h", "more than an hour ago"),
    ("2026-01-01..2026-01-31", "days, the last included"),
)
LENGTHS = ((">1m", "longer than a minute"), (">5m", "longer than five minutes"), (">1h", ""), ("1m..5m", "between"))
WORDS = {
    "status": [(one.value, "") for one in Status],
    "trigger": [(one.value, "") for one in Trigger],
    "level": [("error", "errors in the log"), ("warning", "warnings in the log")],
}


def suggest(tenant: Tenant, token: str) -> Suggestions:
    """For the word under the caret: what it may become, as texts of a query, each with a few words about it."""
    sign = "-" if token.startswith("-") else ""
    plain = token[len(sign) :]
    word, colon, typed = plain.partition(":")
    typed = unquote(typed)
    qualifier = BY_WORD.get(word.lower())
    if colon and qualifier is not None:
        if sign and not qualifier.negated:
            return []
        found = [(f"{word}:{value}", about) for value, about in _values(tenant, qualifier, typed)]
    elif colon:
        values = _known(tenant, TrackedData, word, typed)
        found = [(f"{word}:{quote(value)}", "") for value in values]
    else:
        found = _beginnings(tenant, plain, is_negated=bool(sign))
    return [(sign + text, about) for text, about in found[:LIMIT]]


def _beginnings(tenant: Tenant, plain: str, *, is_negated: bool) -> Suggestions:
    start = plain.lower()
    found = [
        (f"{one.word}:", one.about)
        for one in QUALIFIERS
        if one.word.startswith(start) and (one.negated or not is_negated)
    ]
    if start:
        found += [(f"flow:{slug}", name) for slug, name in _flows(tenant, start)[:3]]
        found += [(f"{key}:", "tracked data") for key in _known(tenant, TrackedData, None, plain)[:4]]
    return found


def _values(tenant: Tenant, qualifier: Qualifier, typed: str) -> Suggestions:
    """What may stand behind the colon. Of several words with commas the last is being typed."""
    start = typed.lower()
    match qualifier.kind:
        case "flag":
            return _beginning_so([("yes", ""), ("no", "")], start)
        case "moment":
            return _beginning_so(MOMENTS, start)
        case "length":
            return _beginning_so(LENGTHS, start)
        case "pair":
            return _pairs(tenant, RunTag if qualifier.word == "tag" else TrackedData, typed)
        case "words":
            before, comma, last = typed.rpartition(",")
            given = before.split(",")
            known = [pair for pair in _words(tenant, qualifier.word, last.lower()) if pair[0] not in given]
            return [(before + comma + quote(value), about) for value, about in known]
    if qualifier.word == "env":
        return [(quote(name), "") for name in find_choices(tenant)["environments"] if start in name.lower()]
    return _components(tenant, typed) if qualifier.word == "component" else []


def _components(tenant: Tenant, typed: str) -> Suggestions:
    component, sign, status = typed.rpartition("=")
    if sign:
        return [(quote(f"{component}={one}"), "") for one in Status.values if one.startswith(status.lower())]
    return [(quote(name), "") for name in find_choices(tenant)["components"] if typed.lower() in name.lower()]


def _words(tenant: Tenant, word: str, start: str) -> Suggestions:
    if word == "flow":
        return _flows(tenant, start)
    if word == "by":
        return [(name, "") for name in find_choices(tenant)["people"] if start in name.lower()]
    return _beginning_so(WORDS[word], start)


def _flows(tenant: Tenant, part: str) -> Suggestions:
    known = find_choices(tenant)["flows"]
    return [(slug, name if name != slug else "") for slug, name in known if part in slug or part in name.lower()]


def _pairs(tenant: Tenant, model: type[RunTag | TrackedData], typed: str) -> Suggestions:
    key, sign, value = typed.partition("=")
    if not sign:
        return [(f"{quote(key)}=", "its value") for key in _known(tenant, model, None, key)]
    return [(quote(f"{key}={one}"), "") for one in _known(tenant, model, key, value)]


def _known(tenant: Tenant, model: type[RunTag | TrackedData], key: str | None, start: str) -> list[str]:
    """Keys, or the values of one key, that begin so."""
    start = start.replace("\0", "")
    named = hashlib.sha256(f"{model.__name__} {key!r} {start!r}".encode(errors="replace")).hexdigest()
    place = f"known:{tenant.pk}:{named}"
    found: list[str] | None = cache.get(place)
    if found is None:
        rows = model.objects.of(tenant)
        if key is None:
            found = rows.known("key", start, limit=LIMIT)
        else:
            found = rows.filter(key=key.replace("\0", "")).known("value", start, limit=LIMIT)
        cache.set(place, found, KEEP_SECONDS)
    return found


def _beginning_so(known: Iterable[tuple[str, str]], start: str) -> Suggestions:
    return [(value, about) for value, about in known if value.startswith(start)]
