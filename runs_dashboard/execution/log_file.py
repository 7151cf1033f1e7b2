"""A run's log as the bytes of a file, a chunk of it in memory at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..models import Download, LogView
from ..text.export import TextFile, as_csv, as_ndjson
from ..text.levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..models import Entry, Run

ADVANCE_SECONDS = 1.0


class Progress:
    """How far a download has come: `line` of its last line; told once a second, which keeps its lease too."""

    def __init__(self, download: Download) -> None:
        self.download = download
        self.line = 0
        self._due_at = time.monotonic() + ADVANCE_SECONDS

    def tell(self) -> None:
        """Raises LeaseLost."""
        now = time.monotonic()
        if now >= self._due_at:
            self.download.advance(self.line)
            self._due_at = now + ADVANCE_SECONDS


class LogFile:
    """The file that a download of a log asks for."""

    def __init__(self, download: Download, run: Run, progress: Progress) -> None:
        self.download, self.run, self.progress = download, run, progress

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, in blocks."""
        download, view = self.download, self._view()
        match download.format:
            case Download.Format.NDJSON:
                yield from as_ndjson(self._entries(view), is_raw=download.is_raw)
            case Download.Format.CSV:
                yield from as_csv(self._entries(view), is_raw=download.is_raw)
            case _:
                text = TextFile(is_raw=download.is_raw)
                yield from write_text(view, text, self.progress, until=download.last_line)
                if download.is_cut and not download.is_raw:
                    yield text.add_note(f"Cut at line {download.last_line}: the run was still going on.")

    def _view(self) -> LogView:
        """The part of the log that the filters leave."""
        filters = self.download.filters
        return LogView(
            self.run,
            action=filters.get("step", ""),
            attempt=filters.get("attempt"),
            levels=frozenset(LEVELS.index(str(name)) for name in filters.get("levels", ())),
            stream=filters.get("stream", ""),
            text=filters.get("text", ""),
        )

    def _entries(self, view: LogView) -> Iterable[Entry]:
        return _count(view.stream(until=self.download.last_line), self.progress)


def write_text(
    view: LogView, text: TextFile, progress: Progress, *, until: int, share: float = 1.0, before: int = 0
) -> Iterator[bytes]:
    """The view's lines up to one as text, in blocks; most of them whole chunks at once.

    share: of the progress, what this reading of the log is; before: lines that are done already.
    """
    if not view.has_whole_chunks:
        yield from text.add(_count(view.stream(until=until), progress))
        return
    for part in view.parts(until=until):
        progress.line = max(progress.line, before + int(part.last_line * share))
        if part.messages is not None and text.is_at_line_start:
            yield text.add_lines(part.messages)
        else:
            yield from text.add(part.entries(until))


def _count(entries: Iterable[Entry], progress: Progress) -> Iterator[Entry]:
    for entry in entries:
        progress.line = entry.line
        yield entry
