"""The line that is still growing: what a step's program printed of a line that it has not ended.

It is no log entry: it has no number, it is in no list, no download and no search, and it goes when the line ends, which
is a log entry then. An open page shows it below the last line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from django.db import models, transaction

from .. import dispatch
from ..text.levels import detect_level
from .lifecycle import Status

if TYPE_CHECKING:
    from .run import Run


class GrowingLine(msgspec.Struct, frozen=True):
    """`action` is its step's id, `stream` is `stdout` or `stderr`; `text` is masked, and of a long line the end."""

    action: str
    attempt: int
    stream: str
    text: str

    def is_in(
        self, *, action: str = "", attempt: int | None = None, stream: str = "", levels: frozenset[int] = frozenset()
    ) -> bool:
        """Whether it belongs to a part of the log: the keywords of LogView."""
        if action and (action != self.action or attempt not in (None, self.attempt)):
            return False
        if stream and stream != self.stream:
            return False
        return not levels or detect_level(self.text) in levels


class Growable(models.Model):
    """A run whose program prints. Every change of its status and the end of every step empty the column."""

    # Without a default SQLite adds the column to a table of any length at once. A JSON field's check would be asked of
    # each row.
    growing_line = models.TextField(null=True, editable=False)

    class Meta:
        abstract = True

    def grow(self: Run, line: GrowingLine | None, *, token: int) -> None:  # type: ignore[misc]
        """Notes the line that is growing now, or that there is none, if the run is still the worker's."""
        text = None if line is None else msgspec.json.encode(line).decode()
        with transaction.atomic():
            rows = type(self).across_tenants.filter(pk=self.pk, token=token, status=Status.RUNNING)
            if rows.update(growing_line=text):
                dispatch.announce(self.pk)

    grow.alters_data = True  # type: ignore[attr-defined]


def read_growing(status: str, column: str | None) -> GrowingLine | None:
    """The growing line of a run of this status, by its column: only what runs has one."""
    if column is None or status != Status.RUNNING:
        return None
    return msgspec.json.decode(column, type=GrowingLine)
