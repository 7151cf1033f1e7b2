"""A client of server-sent events on a bare socket, so that a test can cut it, or stop reading."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Event:
    """One event as a browser would see it."""

    line: int
    name: str
    data: str
    retry: str = ""

    @property
    def lines(self) -> list[int]:
        """The numbers of the log lines in it, in either dialect, and of those that it says were not sent."""
        if self.name:
            return []
        if self.data.startswith("{"):
            return [json.loads(self.data)["line"]]
        if self.skipped is not None:
            return list(self.skipped)
        return [int(number) for number in re.findall(r'id="L(\d+)"', self.data)]

    @property
    def skipped(self) -> range | None:
        """The lines that it stands for, if it is the row that says so."""
        found = re.match(r'<div class="cut-row" data-cut="skipped" data-first="(\d+)" data-last="(\d+)">', self.data)
        return range(int(found[1]), int(found[2]) + 1) if found else None


@dataclass
class Stream:
    """An open answer: its status and headers have been read."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def body(self) -> bytes:
        """The whole body of an answer that has a length."""
        return await self.reader.readexactly(int(self.headers["content-length"]))

    async def blocks(self) -> AsyncIterator[bytes]:
        """Everything that an empty line ends, comments too, until the server ends the answer."""
        kept = b""
        while size := int(await self.reader.readline(), 16):
            kept += (await self.reader.readexactly(size + 2))[:-2]
            *whole, kept = kept.split(b"\n\n")
            for block in whole:
                yield block
        assert not kept, f"the stream ended within an event: {kept[-200:]!r}"

    async def events(self) -> AsyncIterator[Event]:
        async for block in self.blocks():
            event = parse(block.decode())
            if event is not None:
                yield event


def parse(block: str) -> Event | None:
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in fields:
            value = f"{fields['data']}\n{value}"
        if name:
            fields[name] = value
    if "data" not in fields:
        assert not fields, f"fields without data: {fields}"
        return None
    return Event(int(fields["id"]), fields.get("event", ""), fields["data"], fields.get("retry", ""))


@asynccontextmanager
async def opened(
    port: int, path: str, headers: Mapping[str, str] | None = None, *, limit: int = 2**20
) -> AsyncIterator[Stream]:
    """A GET of the path; the connection is cut when the block ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        sent = {"Host": f"127.0.0.1:{port}", **(headers or {})}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
        received = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        yield Stream(int(first.split()[1]), received, reader, writer)
    finally:
        writer.transport.abort()


async def read_to_end(port: int, path: str, headers: Mapping[str, str] | None = None) -> list[Event]:
    """All events of a stream that the server ends."""
    async with asyncio.timeout(30), opened(port, path, headers) as stream:
        assert stream.status == 200, stream.status
        return [event async for event in stream.events()]


def numbers(events: list[Event]) -> list[int]:
    return [line for event in events for line in event.lines]


def last_status(events: list[Event]) -> Any:
    """What the `end` event says; it must be the last event, and the only one of its name."""
    assert [event.name for event in events].count("end") == 1
    assert events[-1].name == "end"
    return json.loads(events[-1].data)["status"]
