"""The run list's columns. A method a column makes its cells: a template for each cost four times as much."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from ..models import Status, Trigger, count_notes, explain_waiting, first_pairs
from ..templatetags.dashboard import icon, moment, shown_status, state, trigger_icon
from ..text.ansi import strip
from .columns import FIXED, USUAL
from .markup import fill, join
from .words import DASH, say_ago, say_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from django.utils.safestring import SafeString

    from ..models import Run


SHOWN_KEYS = 3
NO_PAIRS: tuple[list[Any], list[Any]] = ([], [])
MORE = fill('<span class="m">and more</span>')
PINNED = fill('<span class="pinned" title="Pinned">{}<span class="vh">Pinned</span></span>', icon("pin"))
ERROR_SHOWN = 500  # characters; the run's page has the whole
# One line of a text, and all of it for who presses it: by mouse, finger or key, and without scripts.
UNFOLDING = '<details class="unfold"><summary class="sub cut{}">{}</summary></details>'


@lru_cache(maxsize=4096)
def _ask(name: str, *values: str) -> str:
    """The query of the list of runs like this one; tags and environments come again and again."""
    return urlencode({name: ":".join(values)})


@lru_cache(maxsize=256)
def _row(kinds: tuple[str, ...]) -> str:
    """A row's template: one for all its cells costs a third of one for each."""
    cells = "".join(f'<td class="{kind}">{{}}</td>' for kind in kinds)
    return f'<tr id="run-{{}}" data-s="{{}}">{cells}</tr>'


# What comes again and again on a page, and on the next one.


@lru_cache(maxsize=4096)
def _status(status: str, note: str) -> SafeString:
    return fill("{}{}", state(status), fill('<p class="sub">{}</p>', note) if note else "")


@lru_cache(maxsize=4096)
def _trigger(trigger: str, name: str) -> SafeString:
    return fill(
        '<span class="row">{}{}</span><p class="sub cut">{}</p>',
        icon(trigger_icon(trigger), "m"),
        Trigger(trigger).label,
        name,
    )


@lru_cache(maxsize=4096)
def _marks(environment: str, tags: tuple[tuple[str, str], ...]) -> SafeString:
    """The environment and a few tags, each a link to the runs like this one."""
    shown = join(fill('<a href="?{}">#{}</a>', _ask("tag", key, value), value or key) for key, value in tags)
    if environment:
        return fill('<a href="?{}">{}</a>{}', _ask("environment", environment), environment, shown)
    return shown


@lru_cache(maxsize=4096)
def _problems(errors: int, warnings: int) -> SafeString:
    return fill(
        '<span class="row">{}{}</span>',
        _count("failed", "s-error", errors, "error"),
        _count("warning", "s-warning", warnings, "warning"),
    )


def _count(kind: str, picture: str, number: int, word: str) -> SafeString | str:
    if not number:
        return ""
    said = f"{number:,} {word}{'' if number == 1 else 's'}"
    return fill(
        '<span class="lv" data-s="{}" title="{}">{}{}<span class="vh"> {}</span></span>',
        kind,
        said,
        icon(picture),
        f"{number:,}" if number < 10_000 else f"{number // 1000:,}k",
        word if number == 1 else f"{word}s",
    )


@lru_cache(maxsize=256)
def _notes(count: int) -> SafeString:
    said = f"{count} note{'' if count == 1 else 's'}"
    return fill('<span class="noted" title="{}">{}<span class="vh">{}</span></span>', said, icon("note"), said)


@dataclass(frozen=True)
class Line:
    """A row of the table as HTML."""

    uid: str
    day: date
    html: SafeString


def _column(kind: str, title: str, **options: Any) -> tables.Column:
    attrs = {"td": {"class": kind}, "th": {"class": kind}}
    return tables.Column(verbose_name=title, empty_values=(), orderable=False, attrs=attrs, **options)


class RunTable(tables.Table):
    tick = _column("c-tick", "Select")
    status = _column("c-st", "Status")
    flow = _column("c-flow", "Flow and run")
    trigger = _column("c-trig", "Trigger, by")
    tracked = _column("c-track", "Tracked, tags")
    environment = _column("c-env", "Environment")
    version = _column("c-ver", "Version")
    started = _column("c-when", "Started")
    ended = _column("c-end", "Ended")
    waited = _column("c-wait r", "Waited")
    duration = _column("c-dur r", "Duration")
    problems = _column("c-lv", "Problems")
    lines = _column("c-lines r", "Lines")

    class Meta:
        template_name = "runs/_table.html"

    def __init__(
        self,
        rows: list[Run],
        *,
        has_ticks: bool,
        columns: Sequence[str] = USUAL,
        density: str = "roomy",
        is_newest_first: bool = True,
        is_sortable: bool = True,
    ) -> None:
        """columns: the optional ones, in their order; all the others stand before them. is_sortable: the page that has
        it has the order in its address."""
        shown = (*(("tick",) if has_ticks else ()), *FIXED, *columns)
        attrs = {"class": "tbl runs dense" if density == "dense" else "tbl runs"}
        rest = [name for name in self.base_columns if name not in shown]
        super().__init__(rows, exclude=rest, sequence=shown, attrs=attrs)
        self.has_ticks, self.is_newest_first, self.is_sortable = has_ticks, is_newest_first, is_sortable
        self.width = len(shown)
        pks = [run.pk for run in rows]
        self.waiting = explain_waiting(rows)
        self.pairs = first_pairs(pks, SHOWN_KEYS + 1)
        self.notes = count_notes(pks)
        self.address = reverse("run_list")

    def made_rows(self) -> Iterator[Line]:
        """The rows with their cells made. (The library's own rows look at each method's signature for each cell.)"""
        makers = [getattr(self, f"render_{column.name}") for column in self.columns]
        row = _row(tuple(column.attrs["td"]["class"] for column in self.columns))
        for record in self.data:
            html = fill(row, record.uid, shown_status(record), *(make(record) for make in makers))
            yield Line(record.uid, timezone.localdate(record.ordered_at), html)

    def render_tick(self, record: Run) -> SafeString:
        return fill(
            '<input class="tick" type="checkbox" name="run" value="{}" form="bulk" aria-label="Select run {}">',
            record.uid,
            record.short_uid,
        )

    def render_status(self, record: Run) -> SafeString:
        note = ""
        if record.reviewed_at:
            note = "reviewed"
        elif record.is_retried and record.status == Status.FAILED:
            note = "retried"
        return _status(shown_status(record), note)

    def render_flow(self, record: Run) -> SafeString:
        return fill(
            '<div class="row"><a class="name cut" href="{}">{}</a><code class="m">{}</code>{}{}</div>{}',
            f"{self.address}{record.uid}/",  # an id needs no quoting
            record.flow,
            record.short_uid,
            PINNED if record.is_pinned else "",
            _notes(self.notes[record.pk]) if record.pk in self.notes else "",
            self._say_more(record),
        )

    def _say_more(self, record: Run) -> SafeString:
        if record.status == Status.FAILED and record.error:
            text = strip(record.error)[:ERROR_SHOWN]
            text = f"{record.error_step}: {text}" if record.error_step else text
            return fill(UNFOLDING, " err", text)
        if record.pk in self.waiting:
            return fill(UNFOLDING, "", self.waiting[record.pk])
        if record.status == Status.STOPPED and record.error:
            return fill(UNFOLDING, "", strip(record.error)[:ERROR_SHOWN])
        said = [f"v{record.version.number}"]
        if record.attempt > 1:
            said.append(f"try {record.attempt}")
        if record.status in (Status.RUNNING, Status.PAUSED) and record.step_count:
            said.append(f"step {min(record.steps_done + 1, record.step_count)} of {record.step_count}")
        if record.status == Status.PAUSED:
            said.append("waits for approval")
        return fill('<p class="sub cut">{}</p>', " · ".join(said))

    def render_trigger(self, record: Run) -> SafeString:
        return _trigger(record.trigger, record.created_by.display_name if record.created_by else "")

    def render_tracked(self, record: Run) -> SafeString:
        pairs, tags = self.pairs.get(record.pk, NO_PAIRS)
        keys = join(
            fill('<a class="kv" href="?{}"><i>{}</i>{}</a>', _ask("tracked", key, value), key, value)
            for key, value in pairs[:SHOWN_KEYS]
        )
        environment = record.environment_version.environment.name if record.environment_version else ""
        more = MORE if len(pairs) > SHOWN_KEYS else ""
        return fill(
            '<div class="row">{}{}</div><div class="row sub">{}</div>',
            keys,
            more,
            _marks(environment, tuple(tags[:SHOWN_KEYS])),
        )

    def render_started(self, record: Run) -> SafeString:
        return fill(
            '{}<p class="sub">{}</p>', moment(record.started_at or record.ordered_at), say_ago(record.ordered_at)
        )

    def render_environment(self, record: Run) -> SafeString | str:
        if record.environment_version is None:
            return DASH
        name = record.environment_version.environment.name
        return fill('<a href="?{}">{}</a>', _ask("environment", name), name)

    def render_version(self, record: Run) -> str:
        return f"v{record.version.number}"

    def render_ended(self, record: Run) -> SafeString:
        return fill('{}<p class="sub">{}</p>', moment(record.finished_at), say_ago(record.finished_at))

    def render_waited(self, record: Run) -> SafeString:
        """From its making to its start, or to now while it waits."""
        end = record.started_at or record.finished_at or timezone.now()
        took = max(0.0, (end - record.created_at).total_seconds() * 1000)
        return fill('<span class="num">{}</span>', say_duration(took))

    def render_lines(self, record: Run) -> SafeString:
        return fill('<span class="num">{}</span>', f"{record.line_count:,}")

    def render_duration(self, record: Run) -> SafeString:
        took, usual = record.duration_ms, record.flow.usual_ms
        if took is None:
            return fill('<div class="dur"><span class="num">{}</span></div>', DASH)
        if not usual:
            return fill('<div class="dur"><span class="num">{}</span></div>', say_duration(took))
        scale = max(took, 2 * usual)
        return fill(
            '<div class="{}" title="{}"><span class="num">{}</span><svg aria-hidden="true">'
            '<rect class="bg" width="100%" height="5" rx="2.5"/><rect class="fg" width="{}%" height="5" rx="2.5"/>'
            '<rect class="us" x="{}%" y="-2" width="1.5" height="9"/></svg></div>',
            "dur over" if took > 1.5 * usual else "dur",
            f"{took / usual:.1f} times the usual {say_duration(usual)}",
            say_duration(took),
            f"{100 * took / scale:.1f}",
            f"{100 * usual / scale:.1f}",
        )

    def render_problems(self, record: Run) -> SafeString:
        return _problems(record.error_count, record.warning_count)
