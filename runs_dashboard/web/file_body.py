"""A file as the body of an answer, a block in memory at a time, whichever kind of server asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

BLOCK = 256 * 1024  # bytes


def read_blocks(path: Path, *, is_async: bool) -> Iterator[bytes] | AsyncIterator[bytes]:
    """The file's bytes. is_async: for ASGI, where a plain iterator would be read whole into memory first."""
    return _read_async(path) if is_async else _read(path)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


async def _read_async(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, BLOCK):
            yield block
    finally:
        await asyncio.to_thread(file.close)
