"""The retry dialog: what was chosen, what that would do, and what is doubtful about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from ..definition.inputs import InputError, validate
from ..models import RetryRefused, changed_keys
from .fields import ALL, ALL_NAME, PREFIX, Field, as_text, make_fields, mark_first_bad, read_args, read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

    from ..models import FlowVersion, RetryPlan, Run, StaleResult, Step

OUTPUT_PREFIX = "output."
EDIT_LIMIT = 64 * 1024  # characters of outputs that a field on the page takes; more are changed by the API
EDITED_STEPS = 40  # the last of those that could be kept: what is wrong is mostly near where it failed
DIFF_LINES = 400  # of each side; beyond them the two values are not compared line by line
LONG = 80  # characters of a value that is shown within a sentence
RESERVED = ("start", "failed")  # what `start_at` may be beside a step's id


@dataclass(frozen=True)
class Choices:
    """What a person chose: where the retry begins, which version and environment it takes, and its values."""

    start_at: str
    is_newest: bool
    is_newest_environment: bool
    args: dict[str, Any]
    outputs: dict[str, dict[str, Any]]

    @property
    def digest(self) -> bytes:
        """The same bytes for the same choices: one key is one retry."""
        said = [self.start_at, self.is_newest, self.is_newest_environment, self.args, self.outputs]
        return json.dumps(said, sort_keys=True).encode()


@dataclass
class Row:
    """One step of the version that would run. why_not: why the retry cannot begin with it."""

    slug: str
    name: str
    component: str
    why_not: str
    is_chosen: bool = False
    is_from: bool = False  # where "from the failed step" begins
    done: Step | None = None  # its result, which can be kept
    origin: str = ""  # the run that made the result
    outputs: str | None = None  # as JSON, to be edited; None where there is too much, or nothing to keep
    is_far: bool = False  # too many steps before the others: its outputs have no field either
    is_edited: bool = False
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """One value that is not what it was. lines: (`ins`, `del` or ``, text) where a line by line comparison helps."""

    name: str
    was: str
    now: str
    lines: list[tuple[str, str]]


@dataclass
class RetryForm:
    """What the dialog shows. blocked: why there is nothing to choose."""

    run: Run
    blocked: str = ""
    notice: str = ""
    plan: RetryPlan | None = None
    start_at: str = "start"
    is_newest: bool = False
    is_newest_environment: bool = False
    part: int = 0  # steps that "from the failed step" keeps
    rows: list[Row] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    edits: list[Change] = field(default_factory=list)
    unused_edits: list[str] = field(default_factory=list)
    stale: list[StaleResult] = field(default_factory=list)
    stale_at: str = ""  # the first step that would have to run again for nothing to be stale
    gone: list[str] = field(default_factory=list)
    redefined: list[str] = field(default_factory=list)

    @property
    def edited_steps(self) -> int:
        return EDITED_STEPS

    @property
    def has_newer(self) -> bool:
        latest = self.run.flow.latest
        return latest is not None and latest.pk != self.run.version_id

    @property
    def version(self) -> FlowVersion:
        return (self.run.flow.latest if self.is_newest else None) or self.run.version

    @property
    def newer_environment(self) -> list[str] | None:
        """The variables that the environment's newest version has otherwise; None where there is no newer one."""
        ran_in = self.run.environment_version
        latest = ran_in.environment.latest if ran_in else None
        if ran_in is None or latest is None or latest.pk == ran_in.pk:
            return None
        return changed_keys(ran_in.variables, latest.variables)

    @property
    def version_changes(self) -> str:
        """What the newest version has otherwise, in a few words: `1 step changed, 2 added`."""
        latest = self.run.flow.latest
        if latest is None:
            return ""
        old, new = self.run.version.parsed, latest.parsed
        was, now = {step.id: step for step in old.steps}, {step.id: step for step in new.steps}
        counts = {
            "changed": sum(1 for slug in was if slug in now and was[slug] != now[slug]),
            "added": len(now.keys() - was.keys()),
            "removed": len(was.keys() - now.keys()),
        }
        steps = [f"{count} {word}" for word, count in counts.items() if count]
        said = [f"steps: {', '.join(steps)}"] if steps else []
        return "; ".join(said + (["other inputs"] if old.inputs != new.inputs else []))

    @property
    def all_changes(self) -> list[Change]:
        return [*self.changes, *self.edits]

    @property
    def mistakes(self) -> int:
        return len(self.problems) + sum(bool(one.problems) for one in [*self.fields, *self.rows])

    @property
    def said(self) -> list[str]:
        """Every mistake with the name of its field: for a page that is not drawn again while somebody types."""
        of_fields = [f"{one.label}: {said}" for one in self.fields for said in one.problems]
        return [
            *self.problems,
            *of_fields,
            *(f"Outputs of {row.slug}: {said}" for row in self.rows for said in row.problems),
        ]

    @property
    def says(self) -> str:
        """What the button does, after its word: `3 steps with 1 changed input, 2 kept`."""
        if self.mistakes:
            return f"not yet: {_count(self.mistakes, 'mistake')} above."
        if self.plan is None or self.run.is_engines:
            text = "by its own engine"
        elif self.plan.runs:
            text = _count(len(self.plan.runs), "step")
        else:
            text = "without a step to run"
        if self.changes:
            text += f" with {_count(len(self.changes), 'changed input')}"
        if self.edits:
            text += f"{' and' if self.changes else ' with'} changed outputs of {_count(len(self.edits), 'step')}"
        if self.plan is not None and self.plan.kept:
            text += f", {len(self.plan.kept)} kept"
        if self.is_newest and self.has_newer:
            text += f", on v{self.version.number}"
        return text + "."


def read_choices(run: Run, sent: QueryDict) -> Choices:
    """What the form says. Raises RetryRefused, and InputError whose names are inputs, `*` or `outputs.STEP`."""
    is_newest, is_newest_environment = sent.get("version") == "newest", sent.get("environment") == "newest"
    start_at = sent.get("start_at", "start")
    plan = run.plan_retry(start_at=start_at, is_newest=is_newest, is_newest_environment=is_newest_environment)
    args, problems = _read_args(run, plan.version, sent)
    outputs = {}
    for slug in (step.slug for step in plan.kept if OUTPUT_PREFIX + step.slug in sent):
        try:
            outputs[slug] = read_object(str(sent[OUTPUT_PREFIX + slug]))
        except InputError as error:
            problems += [(f"outputs.{slug}", said) for _, said in error.problems]
    if problems:
        raise InputError(problems)
    return Choices(start_at, is_newest, is_newest_environment, args, outputs)


def fill_in(run: Run, sent: QueryDict) -> QueryDict:
    """The form as it would be sent had it been drawn for the version that was chosen just now.

    New inputs have their usual values; what is no input any more goes along with the other args.
    """
    drawn, chosen = sent.get("drawn"), sent.get("version")
    latest = run.flow.latest
    if drawn is None or drawn == chosen or latest is None:
        return sent
    old, new = (run.version, latest) if chosen == "newest" else (latest, run.version)
    shown, wanted = old.parsed.inputs, new.parsed.inputs
    sent = sent.copy()
    for name, spec in wanted.items():
        value = run.args.get(name, spec.get("default"))
        if name not in shown and value not in (None, False):
            sent[PREFIX + name] = as_text(value)
    if ALL_NAME in sent and wanted:
        try:
            others = read_object(str(sent[ALL_NAME]))
        except InputError:  # said beside the field
            return sent
        others |= {name: run.args[name] for name in shown if name in run.args}
        sent[ALL_NAME] = _as_object({name: value for name, value in others.items() if name not in wanted})
    return sent


def _as_object(args: Mapping[str, Any]) -> str:
    return json.dumps(args, indent=2, ensure_ascii=False)


def _read_args(run: Run, version: FlowVersion, sent: QueryDict) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The args, and what could not be read of them; what the flow does not declare stays where no field says it."""
    inputs = version.parsed.inputs
    problems: list[tuple[str, str]] = []
    others = {name: value for name, value in run.args.items() if name not in inputs}
    if not inputs or ALL_NAME in sent:
        try:
            others = {name: value for name, value in read_object(sent.get(ALL_NAME, "")).items() if name not in inputs}
        except InputError as error:
            problems = [(ALL, said) for _, said in error.problems]
    if not inputs:
        return others, problems
    try:
        args = read_args(inputs, sent)
    except InputError as error:
        return dict(run.args), [*problems, *error.problems]
    # A box that nobody ticked is no change of a run that had none.
    args = {
        name: value
        for name, value in args.items()
        if not (value is False and name not in run.args and not {"default", "required"} & set(inputs[name]))
    }
    return others | args, problems


def make_form(
    run: Run,
    asked: QueryDict,
    *,
    sent: QueryDict | None = None,
    problems: list[tuple[str, str]] | None = None,
) -> RetryForm:
    """The dialog. asked: what its address chooses; sent: the form as it was filled in; problems: found by the act."""
    said = asked if sent is None else sent
    form = RetryForm(run, is_newest=said.get("version") == "newest")
    form.is_newest_environment = said.get("environment") == "newest"
    try:
        form.plan = _choose(form, said.get("start_at", ""))
    except RetryRefused as refused:
        form.blocked = str(refused)
        return form
    found = list(problems or [])
    args = dict(run.args)
    if sent is not None:
        args, unread = _read_args(run, form.version, sent)
        found += [problem for problem in unread if problem not in found]
        try:
            args = validate(form.version.parsed.inputs, args)
        except InputError as error:
            found += [problem for problem in error.problems if problem not in found]
    _make_rows(form, form.plan, sent, found)
    outputs = {row.slug for row in form.rows if row.is_edited and any(row.slug == one.slug for one in form.plan.kept)}
    form.unused_edits = [row.slug for row in form.rows if row.is_edited and row.slug not in outputs]
    _make_fields(form, args, sent, found)
    form.stale = run.find_stale(form.plan, args, outputs) if form.plan.kept else []
    if certain := [one.slug for one in form.stale if one.uses]:
        form.stale_at = certain[0]
    elif form.stale:
        form.stale_at = form.stale[0].slug
    return form


def _choose(form: RetryForm, start_at: str) -> RetryPlan:
    """The plan of what was chosen, or of the usual choice where that cannot be done any more."""
    run = form.run

    def plan(place: str) -> RetryPlan:
        return run.plan_retry(
            start_at=place, is_newest=form.is_newest, is_newest_environment=form.is_newest_environment
        )

    part = plan("failed")
    form.part = len(part.kept) if part.runs and not run.is_engines else 0
    form.start_at = "failed" if form.part else "start"
    if start_at == "start" or (start_at == "failed" and form.part):
        form.start_at = start_at
    elif start_at and start_at != "failed" and not run.is_engines:
        if why := part.why_not(start_at):
            form.notice = why
        else:
            form.start_at = start_at
    return part if form.start_at == "failed" else plan(form.start_at)


def _make_rows(form: RetryForm, plan: RetryPlan, sent: QueryDict | None, problems: list[tuple[str, str]]) -> None:
    run = form.run
    if run.is_engines:
        return
    done = {step.slug: step for step in plan.done}
    origins = run.name_origins(plan.done)
    ran = {step.id: step for step in run.version.parsed.steps}
    for place, step in enumerate(plan.version.parsed.steps):
        row = Row(step.id, step.name, step.component, plan.why_not(step.id))
        if step.id in RESERVED:
            row.why_not = row.why_not or "Its id means something else here."
        row.is_chosen, row.is_from = form.start_at == step.id, bool(form.part) and place == form.part
        if step.id in done:
            row.done, row.origin = done[step.id], origins.get(done[step.id].pk, run.uid)
            text = _as_object(row.done.outputs)
            row.is_far = place < len(done) - EDITED_STEPS
            if len(text) <= EDIT_LIMIT and not row.is_far:
                row.outputs = text
            if sent is not None and OUTPUT_PREFIX + step.id in sent:
                _read_edit(form, row, row.done, str(sent[OUTPUT_PREFIX + step.id]), is_kept=place < len(plan.kept))
            if step != ran.get(step.id) and place < len(plan.kept):
                form.redefined.append(step.id)
        row.problems += [said for name, said in problems if name == f"outputs.{step.id}" and said not in row.problems]
        form.rows.append(row)


def _read_edit(form: RetryForm, row: Row, done: Step, text: str, *, is_kept: bool) -> None:
    row.outputs = text
    try:
        edited = read_object(text)
    except InputError as error:
        row.is_edited = True
        if is_kept:
            row.problems += [said for _, said in error.problems]
        return
    if changed_keys(done.outputs, edited):
        row.is_edited = True
        if is_kept:
            form.edits.append(_change(f"outputs of {row.slug}", done.outputs, edited))


def _make_fields(
    form: RetryForm, args: Mapping[str, Any], sent: QueryDict | None, problems: list[tuple[str, str]]
) -> None:
    run, inputs = form.run, form.version.parsed.inputs
    old = run.version.parsed.inputs
    of_inputs = [(name, said) for name, said in problems if not name.startswith("outputs.")]
    form.fields = make_fields(inputs, run.args, of_inputs, sent)
    others = {name: value for name, value in run.args.items() if name not in inputs}
    if inputs and (others or (sent is not None and sent.get(ALL_NAME))):
        text = _as_object(others)
        hint = "What the flow does not declare goes along as a JSON object."
        more = Field(ALL, "Other args", "textarea", text if sent is None else sent.get(ALL_NAME, text), hint, was=text)
        more.problems = [said for name, said in problems if name == ALL]
        form.fields.append(more)
    form.gone = [name for name in others if name in old]
    changed = changed_keys(run.args, args)
    for one in form.fields:
        if one.name == ALL:
            one.was = one.was or _as_object(others if inputs else run.args)
            one.is_changed = any(name not in inputs for name in changed)
        else:
            one.is_new = one.name not in old
            one.was = None if one.is_new and one.name not in run.args else as_text(run.args.get(one.name))
            one.is_changed = one.was is not None and one.name in changed
    mark_first_bad(form.fields)
    known = {*inputs, ALL, *(f"outputs.{row.slug}" for row in form.rows)}
    form.problems = [
        f"{name}: {said}" if name else said
        for name, said in problems
        if inputs and name.partition(".")[0].partition("[")[0] not in known and name not in known
    ]
    if sent is not None:
        new = {one.name for one in form.fields if one.was is None}
        form.changes = [_change(name, run.args.get(name), args.get(name)) for name in changed if name not in new]


def _change(name: str, was: Any, now: Any) -> Change:
    before, after = as_text(was), as_text(now)
    lines: list[tuple[str, str]] = []
    left, right = before.splitlines(), after.splitlines()
    if max(len(left), len(right)) > 1 and max(len(left), len(right)) <= DIFF_LINES:
        marks = {"+": "ins", "-": "del"}
        told = list(unified_diff(left, right, lineterm="", n=2))[3:]
        lines = [
            ("" if line[:2] == "@@" else marks.get(line[:1], ""), line[1:] if line[:2] != "@@" else "…")
            for line in told
        ]
    return Change(name, before, after, lines)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
