"""Sent is what is kept: by the API's pages, by the event stream and in the download, while servers and workers die.

Five rounds of four kills (kill -9): the web server within an append; the worker within a program's output and a
download; both with all that they started, within the seal of a log. One more within the reading of a download.

* Reported runs, and runs whose worker lived: every byte is there, once and in order.
* Runs whose worker died: what is there is the beginning of what was printed, at least as far as was ever shown, and
  one line of the product's own says what happened.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from ..live.client import parse
from ..product import wait_for
from . import hostile
from .test_worker_kills import WORDS_OF_LOSS, begin, look, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..product import Product

ROUNDS = 5
LIVE_SECONDS = 150.0  # a machine that is this slow is not the product's fault, but a test must end
BATCHES, BATCH_LINES = 50, 20
WHOLE_LINES = 200
PROGRAM = Path(hostile.__file__).resolve()


def flow_of(name: str, lines: int, pause: float) -> str:
    run = json.dumps([sys.executable, str(PROGRAM), "7", str(lines), str(pause)])
    return f"id: {name}\nsteps:\n  - {{id: print, component: command, with: {{run: {run}}}}}\n"


# --- who talks to the product ----------------------------------------------------------------------------------------


class Caller:
    """A client that asks again for as long as nobody answers."""

    def __init__(self, product: Product, key: str) -> None:
        self.url, self.headers = product.url, {"Authorization": f"Bearer {key}"}
        self.until = time.monotonic() + LIVE_SECONDS
        self.api = httpx.Client(base_url=self.url, headers=self.headers, trust_env=False, timeout=20)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        while True:
            assert time.monotonic() < self.until, f"no answer: {method} {path}"
            try:
                answer = self.api.request(method, path, **more)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
            return answer


class Engine(threading.Thread):
    """Reports a run: appends batches one after the other, each until it was acknowledged, some of them again."""

    def __init__(self, caller: Caller, run: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.caller, self.run_id, self.seed = caller, run, seed
        self.sent = b""
        self.batch = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._report()
        except BaseException as failure:
            self.failure = failure
            raise

    def _report(self) -> None:
        path = f"/api/v1/flow-runs/{self.run_id}"
        self.caller.ask("PUT", path, json={"flowId": "reported", "phase": "running"})
        lines = hostile.write_lines(self.seed)
        choose = random.Random(self.seed)
        count = 0
        for self.batch in range(1, BATCHES + 1):
            batch = list(itertools.islice(lines, BATCH_LINES))
            body, kind = self._write(batch, choose)
            count += len(hostile.expect_messages(b"".join(batch)))
            headers = {"Content-Type": kind, "Idempotency-Key": f"batch {self.batch}"}
            for _ in range(2 if self.batch % 5 == 0 else 1):
                answer = self.caller.ask("POST", f"{path}/flow-run-logs", content=body, headers=headers)
                assert answer.json()["last_line"] == count, (self.batch, count, answer.json())
            self.sent += b"".join(batch)

    def _write(self, batch: list[bytes], choose: random.Random) -> tuple[bytes, str]:
        # A message sent as JSON is an entry whatever its length: only plain text has the others cut.
        texts = [hostile.expect_text(line).removesuffix("\n") for line in batch]
        if choose.randrange(3) == 0 and max(map(len, texts)) <= hostile.LINE_LIMIT:
            if choose.randrange(2):
                return json.dumps({"logs": [{"message": text} for text in texts]}).encode(), "application/json"
            return b"\n".join(json.dumps({"message": text}).encode() for text in texts), "application/x-ndjson"
        return b"".join(batch), "text/plain"

    def finish(self) -> None:
        self.join(LIVE_SECONDS)
        assert self.failure is None, self.failure
        assert not self.is_alive()


class Follower(threading.Thread):
    """Follows a run's event stream to its end, each time from the last line that it has."""

    def __init__(self, caller: Caller, run: str) -> None:
        super().__init__(daemon=True)
        self.caller, self.path = caller, f"/api/v1/flow-runs/{run}/flow-run-logs/stream"
        self.entries: list[dict[str, Any]] = []
        self.connections = 0
        self.status = ""
        self.start()

    def run(self) -> None:
        while not self.status and time.monotonic() < self.caller.until:
            last = {"Last-Event-ID": str(self.entries[-1]["line"])} if self.entries else {}
            try:
                with httpx.stream(
                    "GET", self.caller.url + self.path, headers=self.caller.headers | last, trust_env=False, timeout=20
                ) as answer:
                    if answer.status_code == 200:
                        self.connections += 1
                        self._take(answer)
            except httpx.TransportError:
                pass  # what it was for: the next connection goes on where this one was cut
            time.sleep(0.02)

    def _take(self, answer: httpx.Response) -> None:
        kept = b""
        for piece in answer.iter_raw():
            *blocks, kept = (kept + piece).split(b"\n\n")
            for event in (parse(block.decode()) for block in blocks):
                if event is not None and event.name == "end":
                    self.status = json.loads(event.data)["status"]
                elif event is not None:
                    self.entries.append(json.loads(event.data))

    def finish(self) -> list[dict[str, Any]]:
        self.join(LIVE_SECONDS)
        assert self.status, f"the stream of {self.path} never ended"
        return self.entries


def is_dead(process: psutil.Process) -> bool:
    """Gone, or left for its parent to see."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# --- kills -----------------------------------------------------------------------------------------------------------


class Killer:
    """Kills parts of a product, and counts."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.count = 0
        self.choose = random.Random(20)

    def children(self) -> tuple[psutil.Process, psutil.Process]:
        """The web server, which listens, and the worker."""

        def find() -> tuple[psutil.Process, psutil.Process] | None:
            found = psutil.Process(self.product.pid).children()
            try:
                listening = [
                    any(one.status == psutil.CONN_LISTEN for one in child.net_connections("tcp")) for child in found
                ]
            except psutil.NoSuchProcess:  # one that was killed before has just gone
                return None
            if sorted(listening) != [False, True]:
                return None
            return found[listening.index(True)], found[listening.index(False)]

        return wait_for(find, "a web server and a worker", seconds=40, every=0.02)

    def web(self) -> None:
        self._kill(self.children()[0])

    def worker(self) -> None:
        self._kill(self.children()[1])

    def everything(self) -> None:
        self.children()
        self._pause()
        self.product.kill_everything()
        self.count += 2
        self.product.start()

    def _kill(self, process: psutil.Process) -> None:
        self._pause()
        process.kill()
        self.count += 1
        wait_for(lambda: is_dead(process), "its death")
        self.product.wait_until_ready()

    def _pause(self) -> None:
        time.sleep(self.choose.uniform(0, 0.02))  # not always at the same place of what goes on


# --- the proof -------------------------------------------------------------------------------------------------------


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def texts_of(entries: list[dict[str, Any]]) -> list[str]:
    return [str(entry["message"]) for entry in entries]


def assert_whole(caller: Caller, run: str, sent: bytes, follower: Follower) -> dict[str, Any]:
    """Pages and stream hold what was sent. Returns the raw download, which is ready."""
    pages, streamed = read_lines(caller.api, run), follower.finish()
    assert [entry["line"] for entry in pages] == list(range(1, len(pages) + 1))
    assert streamed == pages
    kept = hostile.expect_text(sent).encode()
    assert digest(hostile.join_messages(texts_of(pages))) == digest(kept)
    download = ask_download(caller, run)
    ready = wait_for(lambda: is_ready(caller, download), "the download", seconds=30, every=0.05)
    assert (ready["size"], ready["sha256"]) == (len(kept), digest(kept))
    content = caller.ask("GET", f"/api/v1/file-downloads/{download}/content").content
    assert digest(content) == digest(kept)
    return ready


def ask_download(caller: Caller, run: str) -> str:
    answer = caller.ask("POST", f"/api/v1/flow-runs/{run}/download", params={"format": "raw"})
    return str(answer.json()["id"])


def is_ready(caller: Caller, download: str) -> dict[str, Any] | None:
    found = caller.ask("GET", f"/api/v1/file-downloads/{download}").json()
    assert found["status"] in ("queued", "running", "ready"), found
    return dict(found) if found["status"] == "ready" else None


def assert_beginning(caller: Caller, run: str, seen: int, follower: Follower) -> None:
    """What a dead worker's run has is the beginning of what was printed, and a line that says so."""
    closed = look(caller.api, run)
    assert closed["phase"] == "failed"
    assert closed["error"].startswith(WORDS_OF_LOSS), closed["error"]
    pages = read_lines(caller.api, run)
    assert follower.finish() == pages
    assert [entry["line"] for entry in pages] == list(range(1, len(pages) + 1))
    printed = texts_of([entry for entry in pages if not entry["system"]])
    assert len(printed) >= seen
    wanted = hostile.expect_messages(b"".join(itertools.islice(hostile.write_lines(7), len(printed))))
    assert printed == wanted[: len(printed)]
    assert texts_of([entry for entry in pages if entry["system"]]) == [closed["error"]]


def wait_until_final(caller: Caller, run: str) -> None:
    def is_final() -> bool:
        return caller.ask("GET", f"/api/v1/flow-runs/{run}").json()["phase"] in ("succeeded", "failed")

    wait_for(is_final, f"the end of {run}", seconds=40, every=0.1)


def begin_printing(caller: Caller, flow: str) -> tuple[str, Follower]:
    """A run of the flow, in the middle of its output."""
    run = begin(caller.api, flow)
    follower = Follower(caller, run)
    wait_for(lambda: len(follower.entries) > 30, f"lines of {flow}", seconds=30)
    return run, follower


@pytest.mark.timeout(300)  # half a minute on a machine with nothing else to do
def test_what_was_sent_is_what_is_kept_while_everything_dies_now_and_then(fresh_dashboard: Product) -> None:
    product = fresh_dashboard
    for definition in (flow_of("whole", WHOLE_LINES, 0.004), flow_of("endless", 0, 0.002)):
        product.load_flow(definition)
    with product.api() as key_holder:
        key = str(key_holder.headers["Authorization"]).removeprefix("Bearer ")
    caller, killer = Caller(product, key), Killer(product)
    checks: list[Callable[[], object]] = []
    engine = None
    for number in range(ROUNDS):
        # The web server, within an append, while a program prints.
        engine = Engine(caller, f"reported-{number}", seed=100 + number)
        engine.start()
        wait_for(lambda engine=engine: engine.batch > 2, "the first batches", seconds=20)  # type: ignore[misc]
        told = Follower(caller, engine.run_id)
        whole, whole_lines = begin_printing(caller, "whole")
        killer.web()
        wait_until_final(caller, whole)
        # The worker, within a program's output and a download.
        endless, endless_lines = begin_printing(caller, "endless")
        asked = ask_download(caller, whole)
        seen = len(endless_lines.entries)
        killer.worker()
        engine.finish()
        # Both, within the seal that follows a run's last report.
        path = f"/api/v1/flow-runs/{engine.run_id}"
        last = threading.Thread(target=caller.ask, args=("PATCH", path), kwargs={"json": {"phase": "succeeded"}})
        last.start()
        killer.everything()
        last.join(30)
        wait_until_final(caller, endless)
        checks += [
            lambda engine=engine, told=told: assert_whole(caller, engine.run_id, engine.sent, told),
            lambda run=whole, lines=whole_lines: assert_whole(caller, run, whole_bytes(), lines),
            lambda run=endless, seen=seen, lines=endless_lines: assert_beginning(caller, run, seen, lines),
            lambda asked=asked: wait_for(lambda: is_ready(caller, asked), "its download", seconds=30, every=0.1),
        ]
        assert told.connections > 1, "it was cut by a kill"
    for check in checks:
        check()
    assert_resumed(caller, killer, engine)
    assert killer.count == 4 * ROUNDS + 1


def whole_bytes() -> bytes:
    return b"".join(itertools.islice(hostile.write_lines(7), WHOLE_LINES))


def assert_resumed(caller: Caller, killer: Killer, engine: Engine | None) -> None:
    """A download that a dead server cut goes on where it was cut, and the whole has its hash."""
    assert engine is not None
    download = ask_download(caller, engine.run_id)
    ready = wait_for(lambda: is_ready(caller, download), "the download", seconds=30, every=0.05)
    path = f"/api/v1/file-downloads/{download}/content"
    got = b""
    try:
        with caller.api.stream("GET", path) as answer:
            for piece in answer.iter_raw(16_384):
                got += piece
                if killer.count == 4 * ROUNDS:
                    killer.web()
    except httpx.TransportError:
        pass
    if len(got) < ready["size"]:
        rest = caller.ask("GET", path, headers={"Range": f"bytes={len(got)}-"})
        assert rest.status_code == 206
        got += rest.content
    assert digest(got) == ready["sha256"] == digest(hostile.expect_text(engine.sent).encode())


@pytest.mark.parametrize("wrong", [b"one line less", b"one twice"])
def test_the_comparison_sees_a_lost_and_a_doubled_line(wrong: bytes) -> None:
    sent = list(itertools.islice(hostile.write_lines(3), 50))
    kept = [*sent[:20], *sent[21:]] if b"less" in wrong else [*sent[:21], *sent[20:]]
    messages = hostile.expect_messages(b"".join(kept))
    assert digest(hostile.join_messages(messages)) != digest(hostile.expect_text(b"".join(sent)).encode())
