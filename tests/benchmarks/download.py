"""Downloads of a log of 1 GB: the making of the file, and its bytes over HTTP against `cat` of the same file."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..product import Product, wait_for
from .context import Context
from .table import Row

LINES = int(os.environ.get("BENCHMARK_DOWNLOAD_LINES", "27000000"))  # about 1 GB of text
MB = 1e6
NAMES = {"raw": "text as printed", "txt": "text without escape codes", "bundle": "a support bundle"}
MAKING_SECONDS = 3_000


def run(context: Context) -> list[Row]:
    with context.running() as product, product.api() as api:
        told = product.manage("generate", "--runs", "1", "--lines", "1", "--big", str(LINES), timeout=MAKING_SECONDS)
        uid = next(line.split()[1] for line in told.splitlines() if line.startswith("run "))
        rows, size = [], 0
        for kind, name in NAMES.items():
            with watched(product) as memory:
                made, seconds = make(api, uid, kind)
            size = size or made["size"]
            said = f"log of {size / MB:,.0f} MB, {LINES:,} lines; memory of all processes +{memory.grown / MB:.0f} MB"
            rows.append(Row(f"making a download, {name}", size / seconds / MB, "MB/s", "", said))
            if kind == "raw":
                rows += fetch(product, api, made)
        return rows


def make(api: httpx.Client, uid: str, kind: str) -> tuple[dict[str, Any], float]:
    """The download once it is ready, and the seconds from the request for it."""
    began = time.monotonic()
    answer = api.get(f"/api/v1/flow-runs/{uid}/download", params={"format": kind})
    assert answer.status_code == 202, answer.text
    address = answer.headers["Location"]

    def look() -> dict[str, Any] | None:
        shown: dict[str, Any] = api.get(address).json()
        assert shown["status"] != "failed", shown
        return shown if shown["status"] == "ready" else None

    return wait_for(look, f"the {kind} is made", seconds=MAKING_SECONDS, every=0.2), time.monotonic() - began


def fetch(product: Product, api: httpx.Client, made: dict[str, Any]) -> list[Row]:
    """The file by `cat`, by the API and by the page, one after the other, the faster of two each."""
    (path,) = Path(product.data_dir, "downloads").glob(f"{made['id']}.*")
    size = made["size"]
    catted = min(cat(path) for _ in range(2))
    rows = [Row("`cat` of a file of a download", size / catted / MB, "MB/s", "", f"{size / MB:,.0f} MB")]
    key = {"Authorization": api.headers["Authorization"]}
    with product.signed_in() as browser:
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        for word, address, headers in (
            ("by the API", made["url"], key),
            ("by its page", f"/downloads/{made['id']}/", cookie),
        ):
            with watched(product) as memory:
                seconds = min(read(product.url, address, headers, size) for _ in range(2))
            said = f"{100 * catted / seconds:.0f} % of cat; memory of all processes +{memory.grown / MB:.0f} MB"
            rows.append(Row(f"the same file {word}", size / seconds / MB, "MB/s", "≥ 100", said))
    return rows


def cat(path: Path) -> float:
    """Seconds."""
    began = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(["cat", path], stdout=nowhere, check=True)
    return time.monotonic() - began


def read(url: str, address: str, headers: dict[str, str], size: int) -> float:
    """Seconds for a whole answer, read by a client that does nothing with it."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    began = time.monotonic()
    with socket.create_connection((host, port), timeout=60) as connection:
        lines = [f"GET {address} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        buffer = bytearray(2**20)
        count = connection.recv_into(buffer)
        assert buffer.startswith(b"HTTP/1.1 200"), bytes(buffer[:200])
        head = buffer.index(b"\r\n\r\n") + 4
        while got := connection.recv_into(buffer):
            count += got
    assert count - head == size
    return time.monotonic() - began


@dataclass
class Memory:
    """Bytes by which the resident memory of a product's processes was above its beginning, at most."""

    grown: int = 0


@contextmanager
def watched(product: Product) -> Iterator[Memory]:
    """Looks at the memory ten times a second until the end of the block."""
    memory, before, is_over = Memory(), resident(product), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.1):
            memory.grown = max(memory.grown, resident(product) - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        is_over.set()
        watcher.join()


def resident(product: Product) -> int:
    return sum(process.memory_info().rss for process in product.processes())
