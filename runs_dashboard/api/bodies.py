"""The shapes of what clients send. A field that is not named here is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_.-]+$", max_length=255)]


class RetryBody(msgspec.Struct, rename={"from_": "from"}, forbid_unknown_fields=True):
    """`from`: `start`, `failed` (succeeded steps are kept) or a step's id; args: changed ones; newest: the flow's
    newest version instead of the same one."""

    from_: Annotated[str, msgspec.Meta(max_length=200)] = "start"
    args: dict[str, Any] | None = None
    newest: bool = False


class StopBody(msgspec.Struct, forbid_unknown_fields=True):
    """`force` ends the grace at once."""

    force: bool = False
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class DownloadBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds: everything, or one step's lines, or those of some levels."""

    format: Literal["txt", "raw", "ndjson", "csv"] | None = None
    step: Annotated[str, msgspec.Meta(max_length=200)] = ""
    levels: list[Literal["debug", "info", "warning", "error", "critical"]] = []


class EmptyBody(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing, or an empty object."""
