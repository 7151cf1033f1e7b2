"""`manage.py up` as a user meets it: the first start, the second, a taken port, killed processes, the end."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from ..postgres import free_port
from ..product import ROOT, Product, ProductMaker, wait_for

pytestmark = pytest.mark.process

QUICK = {"LEASE_SECONDS": "4", "BEAT_SECONDS": "1", "STOP_GRACE_SECONDS": "1", "DRAIN_SECONDS": "2"}
SLEEPER = """
id: sleeper
steps:
  - id: nap
    component: command
    with: {run: ["sleep", "600"]}
"""


@pytest.fixture
def product(make_product: ProductMaker) -> Iterator[Product]:
    made = make_product(**QUICK)
    yield made.start()
    make_product.end(made)


def children(product: Product) -> list[psutil.Process]:
    return sorted(psutil.Process(product.pid).children(), key=lambda child: child.pid)


def test_a_second_start_keeps_everything_and_prints_no_password(product: Product) -> None:
    first = product.read_log()
    assert len(re.findall(r"^Password: \S{12,}$", first, re.MULTILINE)) == 1
    assert f"Runs Dashboard: {product.url}\n" in first
    assert f"Data: {product.data_dir}" in first
    assert product.stop() == 0

    product.start()
    second = product.read_log()[len(first) :]

    assert "Password" not in second
    assert f"Runs Dashboard: {product.url}\n" in second
    with product.signed_in() as browser:
        assert browser.get("/runs/").status_code == 200


def test_the_data_folder_is_for_its_owner_alone(make_product: ProductMaker) -> None:
    made = make_product(**QUICK)
    made.data_dir.rmdir()
    made.start()

    assert stat.S_IMODE(made.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((made.data_dir / "secret_key").stat().st_mode) == 0o600
    make_product.end(made)


def test_a_taken_port_is_one_sentence(product: Product) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", str(product.port)],
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip().startswith(f"Error: Port {product.port} of 127.0.0.1 is taken")
    assert done.stderr.strip().count("\n") == 0


def test_children_that_are_killed_are_started_again(product: Product) -> None:
    before = children(product)
    assert len(before) == 2
    for child in before:
        child.kill()

    def both_are_new() -> bool:
        now = children(product)
        return len(now) == 2 and not set(now) & set(before)

    wait_for(both_are_new, "two new children", every=0.05)
    assert httpx.get(f"{product.url}/readyz", timeout=20).status_code == 200
    assert product.read_log().count("it starts again in") == 2


def test_children_end_when_their_parent_is_killed_and_the_port_is_free_again(product: Product) -> None:
    orphans = children(product)
    product.kill()

    _, alive = psutil.wait_procs(orphans, timeout=10)
    assert not alive
    product.start()  # on the same port


def test_sigterm_lets_running_runs_drain_and_ends_with_0(product: Product) -> None:
    product.load_flow(SLEEPER)
    with product.api() as api:
        api.post("/webhooks/sleeper", json={})
    sleeper = wait_for(lambda: find_sleeper(product), "the step runs", every=0.05)
    began = time.monotonic()

    assert product.stop() == 0
    assert 2 <= time.monotonic() - began < 12
    assert not sleeper.is_running()
    assert product.processes() == []


def test_a_second_signal_ends_it_quicker(make_product: ProductMaker) -> None:
    made = make_product(**QUICK | {"DRAIN_SECONDS": "60"})
    made.start()
    made.load_flow(SLEEPER)
    with made.api() as api:
        api.post("/webhooks/sleeper", json={})
    wait_for(lambda: find_sleeper(made), "the step runs", every=0.05)
    began = time.monotonic()
    os.kill(made.pid, signal.SIGTERM)
    wait_for(lambda: "Ending:" in made.read_log(), "it has heard the first signal")
    os.kill(made.pid, signal.SIGTERM)

    assert made.stop() == 0
    assert time.monotonic() - began < 20
    make_product.end(made)


@pytest.mark.parametrize("half", ["serve", "worker"])
def test_each_half_alone_ends_with_0_on_sigterm(half: str, product: Product) -> None:
    assert product.stop() == 0
    arguments = ["--port", str(product.port)] if half == "serve" else []
    alone = subprocess.Popen(
        [sys.executable, "manage.py", half, *arguments], cwd=ROOT, env=product.environment, stdout=subprocess.DEVNULL
    )
    try:
        if half == "serve":
            wait_for(lambda: answers(product), "it serves", seconds=30, every=0.05)
        else:
            # More than the pool of connections has: its chores have begun, and before them it hears signals.
            wait_for(lambda: len(psutil.Process(alone.pid).threads()) > 8, "it works", seconds=30, every=0.05)
        alone.send_signal(signal.SIGTERM)
        assert alone.wait(20) == 0
    finally:
        alone.kill()
        alone.wait()


def test_a_database_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite3").write_bytes(b"this is no database, whatever its name says" * 100)
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", str(free_port()), "--data-dir", str(tmp_path)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == "Error: The database cannot be used: file is not a database\n"
    assert done.stdout == ""


def answers(product: Product) -> bool:
    try:
        return httpx.get(f"{product.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def find_sleeper(product: Product) -> psutil.Process | None:
    return next((process for process in product.processes() if process.name() == "sleep"), None)
