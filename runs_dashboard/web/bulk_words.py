"""Bulk actions in words and pictures: the filter as a sentence, how an action stands, how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.text import Truncator

from ..models import BulkAction, Outcome
from .error_kind import say_errors
from .fields import as_text
from .run_question import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..models import Tenant

VERBS = {"retry": "Retry", "stop": "Stop", "review": "Review"}
TOLD = {"retry": "retried", "stop": "told to stop", "review": "reviewed"}


@dataclass(frozen=True)
class Look:
    """state: whose colour it has; picture: of the sprite."""

    state: str
    picture: str
    word: str


STATUSES = {
    "queued": Look("queued", "s-queued", "Queued"),
    "running": Look("running", "s-running", "Running"),
    "done": Look("succeeded", "s-succeeded", "Done"),
    "aborted": Look("stopped", "s-stopped", "Aborted"),
    "failed": Look("failed", "s-failed", "Ended early"),
}
OUTCOMES = {
    "waiting": Look("queued", "s-queued", "Waiting"),
    "done": Look("succeeded", "s-succeeded", "Done"),
    "refused": Look("warning", "s-warning", "Refused"),
    "skipped": Look("stopped", "s-skipped", "Skipped"),
}
VALUE_SHOWN = 60  # characters of a changed input
SEGMENTS = ("done", "refused", "skipped")  # of the bar, from its beginning


@dataclass(frozen=True)
class Phrase:
    """A part of the sentence that says which runs: `not` `flow` `orders`."""

    is_not: bool
    word: str
    value: str


@dataclass(frozen=True)
class ShownAction:
    """An action as a page shows it. segments: kind, beginning and width in per cent."""

    action: BulkAction
    look: Look
    phrases: list[Phrase]
    percent: int
    segments: list[tuple[str, str, str]]

    @property
    def title(self) -> str:
        return f"{VERBS[self.action.action]} {say_runs(self.action.total)}"

    @property
    def changes(self) -> list[tuple[str, str]]:
        """Name and value of each input that all retries get, as short as a sentence takes them."""
        said = {name: " ".join(as_text(value).split()) or "nothing" for name, value in self.action.changes.items()}
        return [(name, Truncator(text).chars(VALUE_SHOWN)) for name, text in said.items()]

    @property
    def heading(self) -> str:
        """The title of the window: how far it is, while it goes on."""
        return f"{self.percent} % · {self.title}" if self.action.is_open else f"{self.look.word}: {self.title}"

    @property
    def counts(self) -> list[tuple[str, Look, int]]:
        """Every outcome with how many runs have it."""
        action = self.action
        numbers = {"waiting": action.left, "done": action.done, "refused": action.refused, "skipped": action.skipped}
        return [(str(one), OUTCOMES[one], numbers[one]) for one in Outcome if numbers[one] or one == Outcome.DONE]


def show_actions(tenant: Tenant, actions: list[BulkAction]) -> list[ShownAction]:
    errors = say_errors(tenant, *(action.pairs for action in actions))
    return [_show(action, errors) for action in actions]


def _show(action: BulkAction, errors: Mapping[str, str]) -> ShownAction:
    total = action.total or 1
    segments, begin = [], 0.0
    for kind in SEGMENTS:
        width = 100 * getattr(action, kind) / total
        segments.append((kind, f"{begin:.2f}%", f"{width:.2f}%"))
        begin += width
    percent = 100 * action.acted // total if action.is_open else 100
    return ShownAction(action, STATUSES[action.status], phrase(action.pairs, errors), percent, segments)


def phrase(pairs: Iterable[Iterable[str]], errors: Mapping[str, str]) -> list[Phrase]:
    """The sentence that a filter makes. errors: words of errors by their fingerprint."""
    return [Phrase(name.startswith("not_"), *say(name, value, errors)) for name, value in pairs]


def say_runs(number: int) -> str:
    return f"{number:,} run{'' if number == 1 else 's'}"
