"""The distributed engine: Celery and a real Redis bring the rings, the row decides."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from celery import Celery

from ..postgres import free_port
from ..product import wait_for
from .conftest import QUICK
from .test_worker_kills import assert_closed, begin, begin_two, find_worker, look, programs, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..product import Product, ProductMaker

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")

QUICKLY = 4.0  # seconds: less than after which a run without a message is looked for
ONCE = "id: once\nsteps:\n  - {id: s, component: command, with: {run: [sh, -c, 'echo begun; sleep 0.5; echo done']}}\n"
PARENT = "id: parent\nsteps:\n  - {id: s, component: flow, with: {flow: once}}\n"


class Redis:
    """A broker of the test's own; `url` stays the same when it is started again, its messages do not."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        setpriv = shutil.which("setpriv")
        if setpriv:
            command = [setpriv, "--pdeathsig", "KILL", "--", *command]
        self.process = subprocess.Popen([*command, "--dir", str(self.folder)], stdout=subprocess.DEVNULL)
        wait_for(self.answers, "an answer of redis-server", every=0.02)

    def answers(self) -> bool:
        asked = subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True, check=False)
        return asked.stdout.strip() == b"PONG"

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def distributed(make_product: ProductMaker, redis: Redis) -> Iterator[Product]:
    product = make_product(**QUICK, BROKER_URL=redis.url, WORKER_SLOTS="2")
    product.start()
    product.load_flow(ONCE)
    yield product
    make_product.end(product)


def wait_for_end(api: Any, run: str, seconds: float = 20.0) -> float:
    """How long it took until the run had succeeded."""
    began = time.monotonic()
    wait_for(lambda: look(api, run)["phase"] == "succeeded", f"the end of {run}", seconds=seconds, every=0.02)
    return time.monotonic() - began


def test_a_message_starts_a_run_and_a_doubled_one_does_nothing(distributed: Product, redis: Redis) -> None:
    distributed.load_flow(PARENT)
    with distributed.api() as api:
        first = begin(api, "once")
        assert wait_for_end(api, first) < QUICKLY
        ask = "from runs_dashboard.models import Run; print(list(Run.across_tenants.values_list('pk', flat=True))[-1])"
        pk = int(distributed.manage("shell", "--verbosity", "0", "-c", ask).split()[-1])
        with Celery(broker=redis.url) as client:
            for _ in range(5):
                client.send_task("runs_dashboard.execute_run", [pk])
                client.send_task("runs_dashboard.execute_run", [pk + 1])  # a run that is not there yet
        second = begin(api, "once")
        assert wait_for_end(api, second) < QUICKLY
        for run in (first, second):
            assert [line["message"] for line in read_lines(api, run)] == ["begun", "done"]
            assert len(look(api, run)["actions"]) == 1
        # Parents on every slot do not keep their children from being brought.
        parents = [begin(api, "parent") for _ in range(3)]
        for run in parents:
            wait_for_end(api, run, seconds=30)


def test_a_run_whose_message_was_lost_is_found(distributed: Product, redis: Redis) -> None:
    distributed.may_log_errors = True  # Celery says so each time that it cannot reach its broker
    with distributed.api() as api:
        redis.kill()
        asked = time.monotonic()
        lost = begin(api, "once")
        assert time.monotonic() - asked < 3, "starting a run does not wait for the broker"
        wait_for_end(api, lost, seconds=30)
        redis.start()
        # And the next ones are brought again, once Celery has noticed.
        wait_for(lambda: wait_for_end(api, begin(api, "once")) < QUICKLY, "a run by message", seconds=60)
        assert [line["message"] for line in read_lines(api, lost)] == ["begun", "done"]


def test_the_runs_of_a_killed_worker_are_closed(distributed: Product) -> None:
    with distributed.api() as api:
        runs = begin_two(distributed, api)
        victims = programs(distributed)
        seen = {run: len(read_lines(api, run)) for run in runs}
        find_worker(distributed).kill()
        for run in runs:
            assert_closed(distributed, api, run, seen[run])
        _, alive = psutil.wait_procs(victims, timeout=5)
        assert alive == []


def test_sigterm_drains(distributed: Product) -> None:
    with distributed.api() as api:
        run = begin(api, "once")
        wait_for(lambda: read_lines(api, run), "its first line", every=0.02)
    assert distributed.stop() == 0
    distributed.start()
    with distributed.api() as api:
        assert look(api, run)["phase"] == "succeeded"
