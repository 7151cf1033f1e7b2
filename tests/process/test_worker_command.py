"""`manage.py worker` alone: the half that executes runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..product import ROOT, wait_for
from .test_worker_kills import SHORT, begin, look, read_lines

if TYPE_CHECKING:
    from ..product import Product, ProductMaker


def start_worker(product: Product, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "manage.py", "worker"], cwd=ROOT, env=product.environment, stdout=file, stderr=file
        )


def test_a_second_worker_takes_runs_too_and_sigterm_drains_it(fresh_dashboard: Product, tmp_path: Path) -> None:
    fresh_dashboard.load_flow(SHORT)
    log = tmp_path / "worker.log"
    worker = start_worker(fresh_dashboard, log)
    try:
        wait_for(lambda: b"Worker: up to 8 runs" in log.read_bytes(), "its first words", seconds=30, every=0.05)
        with fresh_dashboard.api() as api:
            runs = [begin(api, "short") for _ in range(6)]
            wait_for(lambda: all(read_lines(api, run) for run in runs), "all have begun", seconds=30, every=0.05)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
            for run in runs:
                wait_for(lambda run=run: look(api, run)["phase"] == "succeeded", "its end", seconds=30, every=0.05)
                assert [line["message"] for line in read_lines(api, run)] == ["begun", "done"]
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
    assert log.read_text().endswith("Ended.\n")


def test_a_worker_without_a_database_says_what_to_do(make_product: ProductMaker, tmp_path: Path) -> None:
    product = make_product()
    log = tmp_path / "worker.log"

    assert start_worker(product, log).wait(30) == 1

    assert "start `manage.py up` once" in log.read_text()
    make_product.end(product)
