"""The run list's filter form: the same names as in the address, filled with what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.cache import cache

from ..models import NO_COMPONENT, Environment, Flow, Membership, RollupCell, Status, Trigger
from .markup import fill, join

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from ..models import Tenant
    from .run_question import RunQuestion

CHOICES_LIMIT = 500
KEEP_SECONDS = 10
FIELDS = (
    *("status", "flow", "trigger", "user", "environment", "tag", "tracked", "started_after", "started_before"),
    *("duration_over", "duration_under", "component", "level", "has_warnings", "reviewed", "retried"),
    *("unresolved", "pinned"),
)
LEFT_OUT = (
    ("not_status", "Status"),
    ("not_flow", "Flow"),
    ("not_trigger", "Trigger"),
    ("not_user", "Started by"),
    ("not_environment", "Environment"),
    ("not_tag", "Tag"),
    ("not_tracked", "Tracked data"),
)


class QuestionForm:
    """What the form's template shows; every question of the address that has no field of its own is kept hidden."""

    def __init__(self, question: RunQuestion, tenant: Tenant) -> None:
        self.question, self.tenant = question, tenant
        self.asked = {name: question.value(name) for name in FIELDS}
        self.statuses = [(one.value, one.label, one.value in self.asked["status"].split(",")) for one in Status]
        self.triggers = Trigger.choices

    @property
    def options(self) -> dict[str, SafeString]:
        """What the fields with a list of names offer, by kind."""
        return _draw_options(self.tenant)

    @property
    def left_out(self) -> list[dict[str, str]]:
        return [{"name": name, "word": word, "value": self.question.value(name)} for name, word in LEFT_OUT]

    @property
    def more(self) -> list[tuple[str, str]]:
        """Further tags and tracked data, and what only the typed query asks for."""
        seen: set[str] = set()
        rest = []
        for name, value in self.question.pairs:
            if name in seen or (name not in FIELDS and name not in dict(LEFT_OUT)):
                rest.append((name, value))
            seen.add(name)
        return [*rest, *self.question.looks.items()]


def _draw_options(tenant: Tenant) -> dict[str, SafeString]:
    """Kept as HTML for a while: a template that draws a hundred names took a tenth of the time of the run list."""
    key = f"question-options:{tenant.pk}"
    kept: dict[str, SafeString] | None = cache.get(key)
    if kept is None:
        choices = find_choices(tenant)
        pairs = {kind: [(name, "") for name in choices[kind]] for kind in ("environments", "people", "components")}
        pairs["flows"] = [(slug, name if name != slug else "") for slug, name in choices["flows"]]
        kept = {kind: join(fill('<option value="{}">{}', *pair) for pair in named) for kind, named in pairs.items()}
        cache.set(key, kept, KEEP_SECONDS)
    return kept


def find_choices(tenant: Tenant) -> dict[str, list]:
    """The tenant's flows (id and name), environments, people and components, looked up once in a while."""
    key = f"question-choices:{tenant.pk}"
    kept: dict[str, list] | None = cache.get(key)
    if kept is None:
        flows = Flow.objects.of(tenant).order_by("name").values_list("slug", "name")
        environments = Environment.objects.of(tenant).order_by("name").values_list("name", flat=True)
        people = Membership.objects.of(tenant).order_by("user__username").values_list("user__username", flat=True)
        components = RollupCell.objects.of(tenant).components()
        kept = {
            "flows": list(flows[:CHOICES_LIMIT]),
            "environments": list(environments[:CHOICES_LIMIT]),
            "people": list(people[:CHOICES_LIMIT]),
            "components": [name or NO_COMPONENT for name in components[:CHOICES_LIMIT]],
        }
        cache.set(key, kept, KEEP_SECONDS)
    return kept
