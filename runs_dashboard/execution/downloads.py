"""Downloads: files made in the background from a run's log, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from typing import TYPE_CHECKING

from django.db import Error as DatabaseError

from ..models import Download, LeaseLost
from .bundle import write_bundle
from .log_file import LogFile, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from ..models import Run

FULL = (errno.ENOSPC, errno.EDQUOT)
RESERVE = 64 * 2**20  # bytes that downloads leave free on the disk: the database may lie on it too
BUNDLE_SHARE = 4  # a support bundle holds the log twice, deflated; logs come out at a tenth to a third

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
            why = "There is no space left on the disk" if error.errno in FULL else error.strerror
            download.end(error=f"The file could not be written: {why}.")
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
    _check_space(folder, download, run)
    draft = download.path.with_suffix(f".{download.token}.part")
    progress = Progress(download)
    try:
        with draft.open("x+b") as file:
            if download.format == Download.Format.BUNDLE:
                write_bundle(file, download, run, progress)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256")
            else:
                digest = hashlib.sha256()
                for block in LogFile(download, run, progress).blocks():
                    digest.update(block)
                    file.write(block)
                    progress.tell()
            file.flush()
            os.fsync(file.fileno())
            size = file.seek(0, os.SEEK_END)
        download.advance(download.last_line)
        draft.replace(download.path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(folder)
    return size, digest.hexdigest()


def _check_space(folder: Path, download: Download, run: Run) -> None:
    """Raises OSError before the disk is filled, not when it is full: whatever else writes to it would fail as well."""
    needed = run.log_bytes // (BUNDLE_SHARE if download.format == Download.Format.BUNDLE else 1)
    if download.filters:
        needed = 0  # how much a filter leaves is not known before
    if shutil.disk_usage(folder).free < needed + RESERVE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_folder(folder: Path) -> None:
    """The new name survives a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
