"""What a person reads first in a support bundle: the cover sheet and the tables."""

from __future__ import annotations

import platform
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection
from django.utils import timezone

from .. import __version__
from ..text.ansi import strip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from ..models import AuditEntry, Download, Run, Step

ERROR_SHOWN = 2_000  # characters on the cover; run.json has the whole
SAID = {
    "README.txt": "this page",
    "log.txt": "the whole log, as a reader sees it: no escape codes",
    "run.json": "the run's facts, tags, tracked data and metrics",
    "steps.json": "steps and attempts with their times and errors",
    "steps.txt": "the same as a table",
    "inputs.json": "what the run was started with",
    "outputs.json": "what its steps have reported",
    "notes.json": "what people have written about the run",
    "trail.json": "who did what with the run",
    "trail.txt": "the same, a line an act",
    "flow.json": "the flow as the run ran it",
    "flow.yaml": "the same as it was written",
}


class Member(NamedTuple):
    """A file in the bundle. size: bytes; sha256: of them, hex."""

    name: str
    size: int
    sha256: str


def say_instant(at: datetime | None) -> str | None:
    """ISO 8601, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def say_took(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1000:,.1f} s"


def write_cover(download: Download, run: Run, members: list[Member]) -> str:
    """The page README.txt. members: every other file."""
    environment = run.environment_version
    by = download.requested_by
    log = f"{download.last_line:,} lines"
    if download.is_cut:
        log += (
            f"; CUT at line {download.last_line:,}, where it was when the bundle was asked for: the run still went on"
        )
    if run.dropped_lines:
        log += f"; {run.dropped_lines:,} lines were dropped as they came, which the log says where it happened"
    error = strip(run.error)[:ERROR_SHOWN].replace("\n", "\n             ")
    place = f" in step {run.error_step}" if run.error_step else ""
    place += f", line {run.error_line:,}" if run.error_line else ""
    facts = [
        ("Flow", f"{run.flow} ({run.flow.slug}), version {run.version.number}"),
        ("Run", run.uid),
        ("Status", f"{run.status}{place}"),
        ("Queued", say_instant(run.queued_at)),
        ("Started", say_instant(run.started_at)),
        ("Ended", say_instant(run.finished_at)),
        ("Took", say_took(run.duration_ms)),
        ("Trigger", f"{run.trigger}{f', {run.created_by.display_name}' if run.created_by else ''}"),
        ("Environment", f"{environment.environment.name}, version {environment.number}" if environment else None),
        ("Retry of", run.retried_run.uid if run.retried_run else None),
        ("Sub-run of", run.parent_run.uid if run.parent_run else None),
        ("Error", error or None),
        ("Log", log),
        ("Made", f"{say_instant(timezone.now())}{f', asked for by {by.display_name}' if by else ''}"),
        ("Product", f"Runs Dashboard {__version__}, Python {platform.python_version()}, {connection.vendor}"),
    ]
    lines = ["SUPPORT BUNDLE", ""]
    lines += [f"{name:<12} {value}" for name, value in facts if value]
    lines += [
        "",
        "Times are UTC. Secrets stand as ***: in the log since it was kept, in the other files by their value and",
    ]
    lines += ["by the names of their keys. Bodies of requests and responses are not in it.", ""]
    lines += ["FILES (check them with: sha256sum -c SHA256SUMS)", ""]
    for member in members:
        said = SAID.get(member.name, "the log of one attempt" if member.name.startswith("steps/") else "")
        lines.append(f"{member.name}  {member.size:,} bytes{f', {said}' if said else ''}\n    {member.sha256}")
    return "\n".join(lines) + "\n"


def draw_steps(steps: list[Step]) -> str:
    """The steps as a table with columns of even width."""
    head = ("#", "step", "try", "component", "status", "started", "took", "exit", "lines", "error")
    rows = [head] + [
        (
            str(step.position + 1),
            step.slug,
            str(step.attempt),
            step.component,
            f"{step.status}{' (kept)' if step.is_kept else ''}",
            say_instant(step.started_at) or "-",
            say_took(step.duration_ms) if step.started_at else "-",
            "-" if step.exit_code is None else str(step.exit_code),
            f"{step.line_count:,}",
            strip(step.error).partition("\n")[0][:200],
        )
        for step in steps
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def draw_trail(acts: Iterable[AuditEntry], mask: Callable[[Any], Any]) -> Iterator[str]:
    """An act a line: when, who, what, from where."""
    for act in acts:
        change = f" {act.from_status or '-'} -> {act.to_status}" if act.to_status else ""
        detail = "".join(f" {name}={value}" for name, value in mask(act.detail).items())
        where = f" from {act.address}" if act.address else ""
        yield f"{say_instant(act.at)}  {act.actor_name or 'the product'}  {act.action}{change}{where}{detail}\n"
