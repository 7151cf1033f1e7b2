"""What a benchmark is given: running products, flows to load into them, and instruments.

Variables of the environment: `BENCHMARK_RUNS`, how many runs a history has (1,000,000), and `BENCHMARK_HISTORY`, a
data folder that has its history already and keeps it (with `--postgres`, in the database of `DATABASE_URL`), the
password of whose user `admin` is `BENCHMARK_PASSWORD`.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from ..product import Product, ProductMaker, wait_for

RUNS = int(os.environ.get("BENCHMARK_RUNS", "1000000"))
FLOWS, DAYS = 50, 90
FINAL = ("succeeded", "failed", "stopped")


class Context:
    """Lends products to one benchmark after another; what a benchmark started ends with it."""

    def __init__(self, folder: Path, server_url: str | None) -> None:
        self.folder = folder
        self.make_product = ProductMaker(self.make_folder, server_url)
        self.history: Product | None = None
        self.generated_seconds: float | None = None
        if folder_of_history := os.environ.get("BENCHMARK_HISTORY"):
            self.history = Product(
                Path(folder_of_history), database_url=os.environ["DATABASE_URL"] if server_url else None
            )
            self.history.password = os.environ.get("BENCHMARK_PASSWORD")

    def make_folder(self, name: str) -> Path:
        """A new empty folder."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    @contextmanager
    def running(self, **environment: str) -> Iterator[Product]:
        """A product that was started on an empty data folder; it ends with the block."""
        product = self.make_product(**environment)
        try:
            yield product.start()
        finally:
            self.make_product.end(product)

    @contextmanager
    def running_on_history(self) -> Iterator[Product]:
        """A product over a generated history, which is made once for all benchmarks; its lines are few."""
        if self.history is None:
            self.history = self.make_product().start()
            history = ("--runs", RUNS, "--flows", FLOWS, "--days", DAYS, "--seed", 1, "--lines", 1)
            began = time.monotonic()
            self.history.manage("generate", *map(str, history), timeout=300 + RUNS / 100)
            self.generated_seconds = time.monotonic() - began
            self.history.stop()
        self.history.start()
        try:
            yield self.history
        finally:
            self.history.stop()


@dataclass
class Meter:
    """Wall seconds, and CPU seconds of a product's processes, between the ends of a block."""

    seconds: float = 0.0
    cpu: float = 0.0
    times: list[float] = field(default_factory=list)


@contextmanager
def measured(product: Product, *, web_only: bool = False) -> Iterator[Meter]:
    """Measures the block; `web_only` leaves out what the worker does meanwhile, such as indexing."""
    meter = Meter()
    cpu, began = cpu_seconds(product, web_only=web_only), time.monotonic()
    yield meter
    meter.seconds = time.monotonic() - began
    meter.cpu = cpu_seconds(product, web_only=web_only) - cpu


def find_web(product: Product) -> psutil.Process:
    """The child of `up` that answers requests: the one that listens, as its parent does."""
    (web,) = (
        process
        for process in psutil.Process(product.pid).children()
        if any(one.status == psutil.CONN_LISTEN for one in process.net_connections("tcp"))
    )
    return web


def cpu_seconds(product: Product, *, web_only: bool = False) -> float:
    """CPU time that the product's processes took so far, with that of their children which ended."""
    total = 0.0
    for process in [find_web(product)] if web_only else product.processes():
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of a hundred do not exceed; the only value of a list of one."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


# --- runs by the API --------------------------------------------------------------------------------


def command_flow(name: str, run: Sequence[str], **more: object) -> str:
    """The YAML of a flow of one command step; `more` are further keys of the flow (JSON is YAML)."""
    step = {"id": "work", "component": "command", "with": {"run": list(run)}}
    return json.dumps({"id": name, "name": name, **more, "steps": [step]})


def post_webhook(api: httpx.Client, flow: str, **args: object) -> str:
    """Start a flow; returns the id of its run."""
    answer = api.post(f"/webhooks/{flow}", json=args)
    assert answer.status_code == 202, answer.text
    identity: str = answer.json()["id"]
    return identity


def read_run(api: httpx.Client, run: str) -> dict[str, Any]:
    answer = api.get(f"/api/v1/flow-runs/{run}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wait_until_final(api: httpx.Client, run: str, seconds: float = 120, every: float = 0.05) -> dict[str, Any]:
    """The run's object as soon as its phase is final; asked for every so many seconds."""

    def look() -> dict[str, Any] | None:
        found = read_run(api, run)
        return found if found["phase"] in FINAL else None

    return wait_for(look, f"run {run} is final", seconds=seconds, every=every)


def read_lines(api: httpx.Client, run: str, **query: int) -> list[dict[str, Any]]:
    """A page of a run's log entries."""
    answer = api.get(f"/api/v1/flow-runs/{run}/flow-run-logs", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
