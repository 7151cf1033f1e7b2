"""Where one may want to go: flows, runs and business keys that fit a few typed letters. Bounded, by indexes alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import reverse

from ..models import Run, Status, TrackedData
from ..text.run_query import split_pair
from .question_form import find_choices
from .words import say_clock

if TYPE_CHECKING:
    from ..models import Tenant, User

LIMIT = 4  # of one kind
PAIRS_READ = 20
UID_PART = 4  # letters from which on the beginning of an id is looked for


@dataclass(frozen=True)
class Place:
    """One way to go. kind: a word about it; state: of a run; url: within the pages."""

    kind: str
    text: str
    about: str
    url: str
    state: str = ""


def find_places(tenant: Tenant, user: User, text: str) -> list[dict[str, Any]]:
    """For what was typed: flows, runs by id and by tracked value, the search; for nothing, runs of late."""
    places = _lately(tenant, user) if not text else [*_flows(tenant, text), *_runs(tenant, text), *_questions(text)]
    return [asdict(place) for place in places]


def _lately(tenant: Tenant, user: User) -> list[Place]:
    runs = Run.objects.of(tenant).for_list()
    mine = list(runs.filter(created_by=user)[:LIMIT])
    failed = list(runs.filter(status=Status.FAILED)[:LIMIT])
    seen = {run.pk: run for run in [*mine, *failed]}
    return [_place(run, "yours" if run in mine else "lately") for run in seen.values()]


def _flows(tenant: Tenant, text: str) -> list[Place]:
    part = text.lower()
    known = [(slug, name) for slug, name in find_choices(tenant)["flows"] if part in slug or part in name.lower()]
    known.sort(key=lambda flow: not (flow[0].startswith(part) or flow[1].lower().startswith(part)))
    return [
        Place("Flow", name or slug, slug if name else "", reverse("flow_detail", args=[slug]))
        for slug, name in known[:LIMIT]
    ]


def _runs(tenant: Tenant, text: str) -> list[Place]:
    """Runs with this id, with an id that ends or begins so, and those with a tracked value that begins so."""
    rows = Run.objects.of(tenant)
    keys = list(rows.filter(uid=text).values_list("pk", flat=True))
    keys += rows.filter(uid_end=text.lower()).order_by("-pk").values_list("pk", flat=True)[:LIMIT]
    if len(text) >= UID_PART:
        near = rows.filter(uid__gte=text).order_by("uid").values_list("pk", "uid")[:LIMIT]
        keys += [pk for pk, uid in near if uid.startswith(text)]
    why = dict.fromkeys(keys, "")
    for pk, said in _tracked(tenant, text):
        why.setdefault(pk, said)
    # Without an order: with the list's, a database may walk along the list until it has met them all.
    found = Run.objects.of(tenant).for_list().filter(pk__in=list(why)[: 2 * LIMIT], removing_at=None).order_by()
    return [_place(run, why[run.pk]) for run in sorted(found, key=lambda run: list(why).index(run.pk))]


def _tracked(tenant: Tenant, text: str) -> list[tuple[int, str]]:
    pairs = TrackedData.objects.of(tenant)
    key, value = split_pair(text)
    if value is not None:
        pairs = pairs.filter(key=key)
    start = text if value is None else value
    near = pairs.filter(value__gte=start).order_by("value", "-run_id").values_list("key", "value", "run_id")
    return [(run, f"{key}={value}") for key, value, run in near[:PAIRS_READ] if value.startswith(start)][:LIMIT]


def _questions(text: str) -> list[Place]:
    return [
        Place("Runs", text, "filter the list", f"{reverse('run_list')}?{urlencode({'q': text})}"),
        Place("Search", text, "in all logs", f"{reverse('search')}?{urlencode({'q': text})}"),
    ]


def _place(run: Run, why: str) -> Place:
    state = "stopping" if run.is_stopping else run.status
    about = ", ".join(filter(None, (run.short_uid, why, f"{state} {say_clock(run.ordered_at)}")))
    return Place("Run", str(run.flow), about, reverse("run_detail", args=[run.uid]), state)
