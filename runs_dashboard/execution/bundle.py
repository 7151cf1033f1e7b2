"""The support bundle: all there is to know of a run, in one zip that may be given to others.

A zip by PKWARE's APPNOTE 6.3, deflated, with the 64-bit extension: the log may have any size, and no more of it is in
memory than a chunk. README.txt comes last, for it holds the checksums of the others.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from contextlib import contextmanager
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from ..models import LogView
from ..text.ansi import strip
from ..text.export import TextFile, safe_filename
from ..text.redact import mask_named
from .cover import Member, draw_steps, draw_trail, say_instant, write_cover
from .log_file import write_text
from .surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..models import Download, Run, RunNote, Step
    from .log_file import Progress

DEFLATE_LEVEL = 1  # level 6 makes a log a quarter smaller and takes four times as long
STEPLESS = "00-no-step"


def write_bundle(file: IO[bytes], download: Download, run: Run, progress: Progress) -> None:
    """Writes the zip into a file that can seek. Raises OSError, LeaseLost."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=DEFLATE_LEVEL) as archive:
        _Bundle(archive, download, run, progress).write()


class _Bundle:
    def __init__(self, archive: zipfile.ZipFile, download: Download, run: Run, progress: Progress) -> None:
        self.archive, self.download, self.run, self.progress = archive, download, run, progress
        self.members: list[Member] = []
        self.redactor = Surroundings(run, run.version.parsed).redactor
        self.steps = list(run.steps.defer("outputs"))

    def write(self) -> None:
        run = self.run
        view = LogView(run)
        self._log("log.txt", view, is_whole=True)
        for name, view in self._parts():
            self._log(name, view)
        self._json("run.json", self._facts())
        self._json_list("steps.json", (self._about(step) for step in self.steps))
        self._text("steps.txt", draw_steps(self.steps))
        self._json("inputs.json", self._mask(run.args))
        outputs = run.steps.exclude(outputs={}).values_list("slug", "attempt", "outputs").iterator(chunk_size=20)
        self._json_list(
            "outputs.json",
            [{"run": self._mask(run.outputs)}] if run.outputs else [],
            ({"step": slug, "attempt": attempt, "outputs": self._mask(found)} for slug, attempt, found in outputs),
        )
        trail = run.audit.order_by("id")
        self._json_list(
            "trail.json",
            (
                {
                    "at": say_instant(act.at),
                    "action": act.action,
                    "by": act.actor_name,
                    "address": act.address,
                    "from": act.from_status,
                    "to": act.to_status,
                    "detail": self._mask(act.detail),
                }
                for act in trail.iterator(chunk_size=500)
            ),
        )
        notes = run.notes.select_related("author").filter(removed_at=None).order_by("id")
        self._json_list("notes.json", (self._note(note) for note in notes.iterator(chunk_size=50)))
        self._text("trail.txt", draw_trail(trail.iterator(chunk_size=500), self._mask))
        self._flow()
        sums = "".join(f"{member.sha256}  {member.name}\n" for member in self.members)
        self._text("SHA256SUMS", sums)
        self._text("README.txt", self._clean(write_cover(self.download, run, self.members)))

    # --- what is in it --------------------------------------------------------------------------------------------

    def _parts(self) -> Iterator[tuple[str, LogView]]:
        """A file name and a view of the log for each attempt, in folders numbered by the steps' order."""
        yield f"steps/{STEPLESS}/lines.log", LogView(self.run, is_stepless=True)
        width = len(str(max((step.position + 1 for step in self.steps), default=1)))
        for step in self.steps:
            folder = f"{step.position + 1:0{max(2, width)}d}-{safe_filename(step.slug)}"
            yield f"steps/{folder}/attempt-{step.attempt}.log", LogView(self.run, step=step)

    def _facts(self) -> dict[str, Any]:
        run = self.run
        environment = run.environment_version
        return {
            "id": run.uid,
            "flow": {"id": run.flow.slug, "name": run.flow.name, "version": run.version.number},
            "status": run.status,
            "trigger": run.trigger,
            "createdAt": say_instant(run.created_at),
            "startedAt": say_instant(run.started_at),
            "finishedAt": say_instant(run.finished_at),
            "durationMs": run.duration_ms,
            "createdBy": run.created_by.display_name if run.created_by else None,
            "environment": {"name": environment.environment.name, "version": environment.number}
            if environment
            else None,
            "attempt": run.attempt,
            "retriedRunId": run.retried_run.uid if run.retried_run else None,
            "parentRunId": run.parent_run.uid if run.parent_run else None,
            "error": self._clean(run.error) or None,
            "errorStep": run.error_step or None,
            "errorLine": run.error_line,
            "lineCount": run.line_count,
            "logBytes": run.log_bytes,
            "droppedLines": run.dropped_lines,
            "warningCount": run.warning_count,
            "errorCount": run.error_count,
            "tags": dict(run.tags.order_by("key").values_list("key", "value")),
            "trackedData": [
                {"key": key, "value": value}
                for key, value in run.tracked_data.order_by("id").values_list("key", "value")[:1_000]
            ],
            "metrics": {
                "cpuTime": run.cpu_ms,
                "payloadSize": run.payload_bytes,
                "operationsSent": run.operations_sent,
                "operationsReceived": run.operations_received,
                "totalTokens": run.total_tokens,
                **run.metrics,
            },
        }

    def _about(self, step: Step) -> dict[str, Any]:
        return {
            "position": step.position + 1,
            "id": step.slug,
            "name": step.name,
            "component": step.component,
            "attempt": step.attempt,
            "status": step.status,
            "startedAt": say_instant(step.started_at),
            "finishedAt": say_instant(step.finished_at),
            "durationMs": step.duration_ms,
            "exitCode": step.exit_code,
            "isKept": step.is_kept,
            "lineCount": step.line_count,
            "error": self._clean(step.error) or None,
        }

    def _note(self, note: RunNote) -> dict[str, Any]:
        return {
            "by": note.author.display_name if note.author else None,
            "at": say_instant(note.created_at),
            "editedAt": say_instant(note.edited_at),
            "text": self._clean(note.text),
        }

    def _flow(self) -> None:
        version = self.run.version
        self._json("flow.json", self._mask(version.definition))
        if version.source:
            self._text("flow.yaml", self.redactor.redact(version.source))

    # --- how it is written ----------------------------------------------------------------------------------------

    def _mask(self, value: Any) -> Any:
        """JSON without secrets, by their values and by the names of their keys."""
        return mask_named(self.redactor.redact_json(value))

    def _clean(self, text: str) -> str:
        return self.redactor.redact(strip(text))

    def _log(self, name: str, view: LogView, *, is_whole: bool = False) -> None:
        until, text = self.download.last_line, TextFile()
        # The log is read twice, whole and by steps: each is half of the way.
        blocks = write_text(view, text, self.progress, until=until, share=0.5, before=0 if is_whole else until // 2)
        first = next(blocks, None)
        if first is None and not is_whole:
            return  # a step that printed nothing has no file
        with self._open(name) as write:
            for block in chain([first] if first is not None else [], blocks):
                write(block)
                self.progress.tell()
            if self.download.is_cut and is_whole:
                write(text.add_note(f"Cut at line {until}: the run was still going on."))

    def _json(self, name: str, value: Any) -> None:
        self._text(name, json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")

    def _json_list(self, name: str, *parts: Iterable[Any]) -> None:
        """A list of any length, an item at a time."""
        with self._open(name) as write:
            before = "[\n"
            for item in (item for part in parts for item in part):
                write(f"{before}{json.dumps(item, ensure_ascii=False, default=str)}".encode())
                before = ",\n"
                self.progress.tell()
            write(b"\n]\n" if before != "[\n" else b"[]\n")

    def _text(self, name: str, text: Iterable[str] | str) -> None:
        with self._open(name) as write:
            for part in [text] if isinstance(text, str) else text:
                write(part.encode(errors="replace"))

    @contextmanager
    def _open(self, name: str) -> Iterator[Any]:
        """A new member; gives the function that writes to it."""
        info = zipfile.ZipInfo(name, self.download.created_at.timetuple()[:6])
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        digest, size = hashlib.sha256(), 0
        with self.archive.open(info, "w", force_zip64=True) as member:

            def write(data: bytes) -> None:
                nonlocal size
                digest.update(data)
                member.write(data)
                size += len(data)

            yield write
        self.members.append(Member(name, size, digest.hexdigest()))
