"""Downloads: files made in the background from a run's log, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import time
from typing import TYPE_CHECKING

from django.db import Error as DatabaseError

from ..models import Download, LeaseLost, LogView
from ..text.export import TextFile, as_csv, as_ndjson
from ..text.levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..models import Entry, Run

ADVANCE_SECONDS = 1.0
FULL = (errno.ENOSPC, errno.EDQUOT)

logger = logging.getLogger(__name__)


def make_next(worker: str) -> bool:
    """Makes the next waiting download, if there is one; returns whether there was.

    What goes wrong with the file is the download's end, and said there. Raises django.db.Error.
    """
    download = Download.across_tenants.claim(worker=worker)
    if download is None:
        return False
    try:
        if download.run is None:
            download.end(error="The run was deleted.")
            return True
        try:
            size, sha256 = _make(download, download.run)
        except OSError as error:
            why = "There is no space left on the disk." if error.errno in FULL else f"{error.strerror}."
            download.end(error=f"The file could not be written: {why}")
        except (DatabaseError, LeaseLost):
            raise
        except Exception:
            # One file that cannot be made must not keep the worker from making the next.
            logger.exception("Download %s of run %s failed.", download.uuid, download.run_uid)
            download.end(error="The file could not be made; the worker's own log says why.")
        else:
            download.end(size=size, sha256=sha256)
    except LeaseLost:
        logger.warning("Download %s is another worker's now.", download.uuid)
    return True


def _make(download: Download, run: Run) -> tuple[int, str]:
    """Writes the file beside its place and moves it there when it is complete. Returns its size and SHA-256."""
    folder = download.path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(f"{download.uuid}.*.part"):  # of a worker that died
        left.unlink(missing_ok=True)
    draft = download.path.with_suffix(f".{download.token}.part")
    digest = hashlib.sha256()
    writer = _Writer(download, run)
    try:
        with draft.open("xb") as file:
            for block in writer.blocks():
                digest.update(block)
                file.write(block)
                writer.advance()
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        download.advance(download.last_line)
        draft.replace(download.path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(folder)
    return size, digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """The new name survives a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Writer:
    """The bytes of a download, a chunk of the log in memory at a time, and how far it has come."""

    def __init__(self, download: Download, run: Run) -> None:
        self.download, self.run = download, run
        self.line = 0
        self._due_at = time.monotonic() + ADVANCE_SECONDS

    def advance(self) -> None:
        """Tells how far it is, once a second. Raises LeaseLost."""
        now = time.monotonic()
        if now >= self._due_at:
            self.download.advance(self.line)
            self._due_at = now + ADVANCE_SECONDS

    def blocks(self) -> Iterator[bytes]:
        download = self.download
        filters = download.filters
        levels = frozenset(LEVELS.index(str(name)) for name in filters.get("levels", ()))
        view = LogView(self.run, action=filters.get("step", ""), levels=levels)
        match download.format:
            case Download.Format.NDJSON:
                yield from as_ndjson(self._entries(view))
            case Download.Format.CSV:
                yield from as_csv(self._entries(view))
            case Download.Format.RAW:
                yield from self._text(view, TextFile(is_raw=True))
            case _:
                text = TextFile()
                yield from self._text(view, text)
                if download.is_cut:
                    yield text.add_note(f"Cut at line {download.last_line}: the run was still going on.")

    def _text(self, view: LogView, text: TextFile) -> Iterator[bytes]:
        if not view.is_whole:
            yield from text.add(self._entries(view))
            return
        until = self.download.last_line
        for part in view.parts(until=until):
            self.line = part.last_line
            if part.messages is not None and text.is_at_line_start:
                yield text.add_lines(part.messages)
            else:
                yield from text.add(part.entries(until))

    def _entries(self, view: LogView) -> Iterable[Entry]:
        for entry in view.stream(until=self.download.last_line):
            self.line = entry.line
            yield entry
