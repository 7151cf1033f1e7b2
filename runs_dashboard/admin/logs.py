"""Logs: the machine's rows, to be looked at. The text of a log is on its run's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.template.defaultfilters import filesizeformat

from ..models import LogChunk, LogMetadata, Payload
from ..models.log_index import LogIndexPart
from .base import OwnRelatedFilter, Window, link
from .runs import OfRunWindow

SHOWN = 20_000  # characters of a payload


class OfLineWindow(OfRunWindow):
    """Rows that belong to a line of a log."""

    @admin.display(description="Line")
    def line_page(self, row: Any) -> str:
        return link(f"{row.line:,}", "run_detail", row.run.uid, anchor=f"L{row.line}")


@admin.register(LogChunk)
class LogChunkWindow(OfRunWindow):
    exclude = ("body", "trigrams")
    heavy = ("body", "trigrams")
    list_display = ("pk", "run_page", "step", "lines", "kilobytes", "is_sealed", "first_at", "last_at")
    list_select_related = ("run", "step")

    @admin.display(description="Lines")
    def lines(self, chunk: LogChunk) -> str:
        text = f"{chunk.first_line:,} to {chunk.last_line:,}"
        return link(text, "run_detail", chunk.run.uid, anchor=f"L{chunk.first_line}")

    @admin.display(description="Size")
    def kilobytes(self, chunk: LogChunk) -> str:
        return filesizeformat(chunk.byte_size)


@admin.register(Payload)
class PayloadWindow(OfLineWindow):
    exclude = ("body",)
    heavy = ("body", "headers")
    list_display = ("kind", "name", "run_page", "line_page", "content_type", "size", "is_truncated", "created_at")
    list_filter = ("kind",)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:
        shown = [field.name for field in self.opts.fields if field.editable and field.name not in ("id", "body")]
        return [*shown, "beginning"]

    @admin.display(description="Body")
    def beginning(self, payload: Payload) -> str:
        return payload.body[:SHOWN] + ("…" if len(payload.body) > SHOWN else "")


@admin.register(LogMetadata)
class LogMetadataWindow(OfLineWindow):
    list_display = ("pk", "run_page", "line_page")


@admin.register(LogIndexPart)
class LogIndexPartWindow(Window):
    list_display = ("pk", "tenant", "chunk_count", "first_at", "last_at")
    list_filter = (("tenant", OwnRelatedFilter),)
    list_select_related = ("tenant",)
