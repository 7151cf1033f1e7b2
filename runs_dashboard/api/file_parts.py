"""A part of a file as a stream, a block in memory at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

BLOCK = 256 * 1024


def read_part(path: Path, start: int, length: int, *, is_async: bool) -> Iterator[bytes] | AsyncIterator[bytes]:
    """is_async: under ASGI, where a plain iterator would be read whole before the first byte goes out."""
    return _read_async(path, start, length) if is_async else _read(path, start, length)


def _read(path: Path, start: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (block := file.read(min(BLOCK, length))):
            length -= len(block)
            yield block


async def _read_async(path: Path, start: int, length: int) -> AsyncIterator[bytes]:
    blocks = _read(path, start, length)
    try:
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block
    finally:
        blocks.close()  # type: ignore[attr-defined]
