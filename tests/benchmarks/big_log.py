"""One huge log is written, indexed, read, searched, downloaded and deleted, while another program goes on appending.

What must stay small meanwhile: the memory of the web server and of the worker, SQLite's WAL, and the time that the
other program waits. `BIG_LOG_BYTES` in the environment is the size of the log.
"""

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from ..product import Product, wait_for
from .context import Context, command_flow, find_web, percentile, post_webhook, wait_until_final
from .table import Row

SIZE = int(os.environ.get("BIG_LOG_BYTES", str(2**30)))
TEXT = "2026-01-01T00:00:00Z INFO order %.0f was copied to the warehouse, 3 positions, host=worker-7"
LINES = SIZE // (len(TEXT) + 5)
PAUSE = 0.05  # seconds between two appends of the other program
READS = 50


def run(context: Context) -> list[Row]:
    limits = {"STEP_LOG_MAX_BYTES": str(2 * SIZE), "LOG_MAX_BYTES": str(4 * SIZE)}
    with context.running(**limits) as product, product.api() as api:
        product.load_flow(command_flow("talker", ["seq", "-f", TEXT, str(LINES)]))
        watch = Watch(product, api)
        with watch.phase("written by a command"):
            uid = post_webhook(api, "talker")
            assert wait_until_final(api, uid, seconds=3_600, every=1.0)["phase"] == "succeeded"
        path = f"/api/v1/flow-runs/{uid}"
        with watch.phase("indexed and read"):
            choose = random.Random(1)
            for _ in range(READS):
                after = choose.randrange(LINES - 100)
                page = api.get(f"{path}/flow-run-logs", params={"after": after, "per_page": 100}).json()["items"]
                assert [entry["line"] for entry in page] == list(range(after + 1, after + 101))
            wait_for(lambda: count_waiting(product) == 0, "the index", seconds=3_600, every=2.0)
        with watch.phase("searched"), product.signed_in() as browser:
            search(api, path, f"order {LINES} ")
            count_all(browser, uid, "order")
        with watch.phase("downloaded"):
            download(api, path)
        with watch.phase("deleted"):
            assert api.delete(path, timeout=3_600).status_code == 204
        return watch.rows()


def count_waiting(product: Product) -> int:
    code = "from runs_dashboard.models import LogChunk; print(LogChunk.across_tenants.filter(is_sealed=True, "
    code += "index_part=None).exists() * 1)"
    return int(product.manage("shell", "-v0", "-c", code).split()[-1])


def search(api: httpx.Client, path: str, text: str) -> None:
    """Looks for the last line, a bounded piece a request: its number's trigrams are in every chunk."""
    place: dict[str, str] = {}
    while True:
        page = api.get(f"{path}/flow-run-logs", params={"filter[search]": text, **place}).json()
        if page["items"]:
            assert [entry["line"] for entry in page["items"]] == [LINES]
            return
        assert page["next_page"], "the last line is not found"
        place = {"cursor": page["next_page"]}


def count_all(browser: httpx.Client, uid: str, text: str) -> None:
    """Find counts in pieces, as its page does; a few of them."""
    after = 0
    for _ in range(5):
        answer = browser.get(
            f"/runs/{uid}/find/",
            params={"text": text, "count": "1", "after": after},
            headers={"Accept": "application/json"},
        )
        assert answer.status_code == 200, answer.text
        after = answer.json()["searched_to"]


def download(api: httpx.Client, path: str) -> None:
    asked = api.post(f"{path}/download", params={"format": "raw"}).json()["id"]
    place = f"/api/v1/file-downloads/{asked}"

    def is_ready() -> dict[str, object] | None:
        found: dict[str, object] = api.get(place).json()
        assert found["status"] in ("queued", "running", "ready"), found
        return found if found["status"] == "ready" else None

    ready = wait_for(is_ready, "the download", seconds=3_600, every=0.5)
    digest = hashlib.sha256()
    with api.stream("GET", f"{place}/content", headers={"Accept-Encoding": "identity"}) as answer:
        for piece in answer.iter_raw(2**20):
            digest.update(piece)
    assert digest.hexdigest() == ready["sha256"]


@dataclass
class Phase:
    name: str
    seconds: float = 0.0
    web: int = 0
    worker: int = 0
    wal: int = 0
    waits: list[float] = field(default_factory=list)


class Watch:
    """Looks at the product's memory and WAL, and appends to a run of its own, through one phase after the other."""

    def __init__(self, product: Product, api: httpx.Client) -> None:
        self.product, self.api = product, api
        self.web = find_web(product)
        (self.worker,) = [child for child in psutil.Process(product.pid).children() if child.pid != self.web.pid]
        self.own = "beside"
        assert api.put(f"/api/v1/flow-runs/{self.own}", json={"flowId": "beside", "phase": "running"}).is_success
        for _ in range(20):
            api.get("/api/v1/flow-runs")
        self.before = (self.web.memory_full_info().uss, self.worker.memory_full_info().uss)
        self.phases: list[Phase] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        phase = Phase(name)
        ended = threading.Event()
        threads = [threading.Thread(target=work, args=(phase, ended)) for work in (self._look, self._append)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        try:
            yield
        finally:
            phase.seconds = time.monotonic() - began
            ended.set()
            for thread in threads:
                thread.join()
            self.phases.append(phase)

    def _look(self, phase: Phase, ended: threading.Event) -> None:
        wal = self.product.data_dir / "db.sqlite3-wal"
        while not ended.wait(0.2):
            phase.web = max(phase.web, self.web.memory_full_info().uss - self.before[0])
            phase.worker = max(phase.worker, self.worker.memory_full_info().uss - self.before[1])
            phase.wal = max(phase.wal, wal.stat().st_size if wal.exists() else 0)

    def _append(self, phase: Phase, ended: threading.Event) -> None:
        headers = {"Authorization": str(self.api.headers["Authorization"])}
        with httpx.Client(base_url=self.product.url, headers=headers, trust_env=False, timeout=60) as client:
            while True:
                began = time.monotonic()
                address = f"/api/v1/flow-runs/{self.own}/flow-run-logs"
                answer = client.post(address, content=b"a line\n", headers={"Content-Type": "text/plain"})
                assert answer.status_code == 201, answer.text
                phase.waits.append(time.monotonic() - began)
                if ended.wait(PAUSE):
                    return

    def rows(self) -> list[Row]:
        rows = []
        for phase in self.phases:
            title = f"log of {SIZE / 1e6:,.0f} MB {phase.name}"
            web, worker, wal = (size / 1e6 for size in (phase.web, phase.worker, phase.wal))
            detail = f"web {web:.0f}, worker {worker:.0f}; {phase.seconds:.0f} s" + (
                f"; WAL {wal:.0f} MB" if wal else ""
            )
            rows.append(Row(f"{title}: memory more, at most", max(web, worker), "MB", "≤ 100", detail))
            middle, late = (percentile(phase.waits, percent) * 1000 for percent in (50, 99))
            detail = f"p99 {late:.0f}, longest {max(phase.waits) * 1000:.0f}, of {len(phase.waits):,}"
            rows.append(Row(f"{title}: an append beside it, p50", middle, "ms", "", detail))
        return rows
