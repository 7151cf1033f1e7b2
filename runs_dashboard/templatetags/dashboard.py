"""What templates need beside Django's own tags. Text becomes trusted HTML here alone (`log_rows`, `growing_row`,
`tree`, `linked`)."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from ..models.counting import LOOKED_AT
from ..text import ansi
from ..text.rows import growing_row_html, log_row_html, step_head_html
from ..text.tree import tree_html
from ..web import words
from ..web.download_filters import say_filters
from ..web.inbox import UNRESOLVED_LIMIT, count_unresolved
from ..web.log_window import LogQuery

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from django.http import HttpRequest

    from ..models import Counted, Entry, GrowingLine, Membership, Run

register = template.Library()

TRIGGER_ICONS = {
    "manual": "hand",
    "api": "api",
    "webhook": "hook",
    "schedule": "clock",
    "retry": "retry",
    "flow": "sub",
    "external": "api",
}
STATE_WORDS = {"stopping": "Stopping", "skipped": "Not run", "kept": "Kept"}
TURNING = ("running", "stopping")


@register.simple_tag
@cache
def icon(name: str, extra: str = "") -> SafeString:
    """A picture of the sprite; words stand beside it, so it is hidden from screen readers."""
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f"i {extra}".strip(),
        static("icons.svg"),
        name,
    )


@register.simple_tag
def state(status: str, extra: str = "") -> SafeString:
    """A status as icon, word and colour."""
    word = STATE_WORDS.get(status, str(status).capitalize())
    turning = "spin" if status in TURNING else ""
    return format_html(
        '<span class="{}" data-s="{}">{}{}</span>', f"st {extra}".strip(), status, icon(f"s-{status}", turning), word
    )


@register.filter
def shown_status(run: Run) -> str:
    """The run's status, or `stopping` while a stop is under way."""
    return "stopping" if run.is_stopping else run.status


@register.filter
def favicon(run: Run) -> str:
    """The address of the picture that a browser's tab shows for the run's state."""
    return static(f"favicons/{shown_status(run)}.svg")


@register.filter
def trigger_icon(trigger: str) -> str:
    return TRIGGER_ICONS.get(trigger, "api")


@register.simple_tag
def moment(at: datetime | None, empty: str = words.DASH) -> SafeString:
    """A time on the reader's clock, with the whole instant for machines and for who points at it."""
    if at is None:
        return format_html("{}", empty)
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        words.say_instant(at),
        f"{local.day} {local:%B %Y, %H:%M:%S %Z}",
        words.say_clock(at),
    )


@register.filter
def ago(at: datetime | None) -> str:
    return words.say_ago(at)


@register.filter
def day_word(day: date) -> str:
    return words.say_day(day)


@register.filter
def took(ms: float | None) -> str:
    return words.say_duration(ms)


@register.filter
def against_usual(run: Run) -> str:
    """The run's duration beside what its flow usually takes, in words."""
    return words.say_against(run.duration_ms, run.flow.usual_ms, is_over=run.is_final)


@register.filter
def size(number: int | None) -> str:
    return words.say_size(number)


@register.filter
def count(number: int) -> str:
    return words.say_count(number, settings.COUNT_LIMIT)


@register.filter
def at_least(counted: Counted) -> str:
    """Why a count is not the whole one."""
    if counted.number >= settings.COUNT_LIMIT:
        return f"more than {settings.COUNT_LIMIT:,}"
    return f"among the newest {LOOKED_AT:,} runs"


@register.filter
def up_to(number: int, limit: int) -> str:
    """A number that was counted up to a limit: `1,000+` beyond it."""
    return words.say_count(number, limit)


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def percent(part: float | None) -> str:
    return words.say_part(part)


@register.filter
def around(line: int) -> int:
    """Where to begin so that a line is seen with what came before it."""
    return max(1, line - 20)


@register.simple_tag
def zone_name() -> str:
    return words.say_zone()


@register.filter
def may(request: HttpRequest, role: str) -> bool:
    """Whether the reader has the role: buttons that would be refused are not shown."""
    membership: Membership | None = getattr(request, "membership", None)
    return membership.may(role) if membership else False


@register.filter
def as_json(value: Any) -> str:
    """Any JSON value for reading: text as it is, the rest as indented JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


@register.filter
def plain(text: str) -> str:
    """Printed text without escape sequences and control characters."""
    return ansi.strip(text or "")


@register.filter
def css_id(uid: str) -> str:
    """A run's id as part of a CSS selector: only dots need an escape among what an id may hold."""
    return uid.replace(".", "\\.")


@register.filter
def in_words(filters: dict[str, Any]) -> str:
    """The part of a log that a download holds."""
    return say_filters(filters)


@register.filter
def initials(name: str) -> str:
    parts = name.split()
    return (parts[0][:1] + (parts[-1][:1] if len(parts) > 1 else "")).upper()


@register.inclusion_tag("inbox/_count.html", takes_context=True)
def inbox_count(context: template.Context) -> dict[str, Any]:
    """How many runs are unresolved, beside the navigation's word; the page may have counted already."""
    counted = context.get("unresolved")
    tenant = context["request"].tenant
    return {
        "unresolved": count_unresolved(tenant) if counted is None else counted,
        "unresolved_limit": UNRESOLVED_LIMIT,
    }


@register.simple_tag(takes_context=True)
def here(context: template.Context, prefix: str) -> SafeString:
    """`aria-current` on the navigation's link to where the reader is."""
    path = context["request"].path if "request" in context else ""
    return SafeString(' aria-current="page"') if path.startswith(prefix) else SafeString("")


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The page's query string with some parameters changed, or dropped where the value is empty."""
    params = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            params.pop(name, None)
        else:
            params[name] = str(value)
    return f"?{params.urlencode()}" if params else "?"


@register.simple_tag(takes_context=True)
def log_part(context: template.Context) -> list[tuple[str, str]]:
    """Names and values of the fields that say which part of a log the page shows, the find box with them."""
    asked = LogQuery.read(context["request"].GET)
    return [*asked.part().items(), *asked.find]


@register.simple_tag
def log_rows(entries: Iterable[Entry], *, heads: bool = False) -> SafeString:
    """Lines of a log as HTML, in the reader's time zone; `heads` names the step where it changes.

    Everything in it is escaped by the renderers of `runs_dashboard.text`.
    """
    zone = timezone.get_current_timezone()
    rows: list[str] = []
    looks: dict[tuple[str | None, int | None, str | None], ansi.AnsiState] = {}
    step: tuple[str | None, int | None] | None = None
    for entry in entries:
        if heads and entry.action and (entry.action, entry.attempt) != step:
            step = (entry.action, entry.attempt)
            rows.append(step_head_html(entry.action, entry.attempt))
        source = (entry.action, entry.attempt, entry.stream)
        row, looks[source] = log_row_html(entry, zone=zone, ansi_state=looks.get(source, ansi.PLAIN))
        rows.append(row)
    return mark_safe("".join(rows))  # noqa: S308  (made by log_row_html and step_head_html alone)


@register.simple_tag
def growing_row(line: GrowingLine | None) -> SafeString:
    """The row of the line that has not ended, where there is one; escaped by the renderers of `runs_dashboard.text`."""
    html = growing_row_html(line.text, line.stream, line.action) if line is not None else ""
    return mark_safe(html)  # noqa: S308  (made by growing_row_html alone)


@register.simple_tag
def tree(value: Any, name: str, **options: Any) -> SafeString:
    """A JSON value as a tree; see text.tree.tree_html, which escapes all of it."""
    return mark_safe(tree_html(value, name=name, **options))  # noqa: S308  (tree_html escapes all of it)


@register.filter
def linked(text: str) -> SafeString:
    """A person's text, with addresses in it as links."""
    return mark_safe(ansi.render_text(text))  # noqa: S308  (the one renderer's)
