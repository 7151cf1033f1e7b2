"""The retention rules in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from .words import say_size

if TYPE_CHECKING:
    from ..models import Flow


def is_bounded(flow: Flow) -> bool:
    """Whether something else than their age may let the flow's runs go."""
    return bool(flow.retention_runs or flow.retention_bytes or settings.RETENTION_BYTES)


def say_rule(flow: Flow) -> str:
    """`90 days`, `30 days, 10 GB of log, 1,000 runs`, or `no bound`."""
    said = []
    if flow.kept_days:
        said.append("1 day" if flow.kept_days == 1 else f"{flow.kept_days:,} days")
    if flow.retention_bytes:
        said.append(f"{say_size(flow.retention_bytes)} of log")
    if flow.retention_runs:
        said.append("1 run" if flow.retention_runs == 1 else f"{flow.retention_runs:,} runs")
    return ", ".join(said) or "no bound"
