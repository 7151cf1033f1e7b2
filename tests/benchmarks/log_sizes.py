"""One log at three lengths: its end, a line, a time, a level, a step, find; and search across all of them.

Flat is the goal: what it costs at ten thousand lines it costs at ten million. `LOG_SIZES` in the environment names the
lengths, the longest last. The figures are CPU: of the asking process, and of the PostgreSQL session that answers it.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil

from ..product import Product
from .context import Context, measured
from .log_search import ERROR_SHARE, START, SYLLABLES, count_bytes, settle
from .table import Row

SIZES = [int(size) for size in os.environ.get("LOG_SIZES", "10000,1000000,10000000").split(",")]
STEPS = ("extract", "transform", "load")  # one after the other, a third of the lines each
BATCH = 5_000
TIMEOUT_SHARE = 0.001
RARE, ONLY = "zyxquux", "onlyhere"  # once in each log; in the longest alone
REQUESTS = 20
END_GOAL, SEARCH_GOAL = "≤ 15", "≤ 50"


def run(context: Context) -> list[Row]:
    product = context.make_product()
    try:
        product.start()
        product.stop()
        code = "from tests.benchmarks.log_sizes import measure; measure()"
        told: dict[str, Any] = json.loads(product.manage("shell", "-c", code, timeout=3_600).splitlines()[-1])
        product.start()
        return [*rows_of_disk(told), *rows_of_log(told), *rows_of_requests(product, told["runs"])]
    finally:
        context.make_product.end(product)


def rows_of_disk(told: dict[str, Any]) -> list[Row]:
    lines = sum(SIZES)
    raw, log, index = (told[name] / lines for name in ("raw", "log", "index"))
    return [
        Row(
            "log on disk against its raw text", log / raw * 100, "%", "", f"{raw:.1f} bytes a line raw, {log:.1f} kept"
        ),
        Row("index of the words against the raw text", index / raw * 100, "%", "", f"{index:.1f} bytes a line"),
    ]


def rows_of_log(told: dict[str, Any]) -> list[Row]:
    rows = []
    for name, figures in told["asked"].items():
        *shorter, longest = figures
        others = ", ".join(f"{show(one)} at {size:,}" for one, size in zip(shorter, SIZES, strict=False))
        goal = SEARCH_GOAL if name.startswith("search") else END_GOAL if name == "its end" else ""
        title = name if name.startswith("search") else f"log of {SIZES[-1]:,} lines: {name}"
        rows.append(Row(title, longest[0] * 1000, "ms CPU", goal, "; ".join(filter(None, (others, longest[1])))))
    return rows


def show(figure: tuple[float, str]) -> str:
    return f"{figure[0] * 1000:.3g}"


def rows_of_requests(product: Product, runs: list[str]) -> list[Row]:
    """What the web process takes for whole requests."""
    rows = []
    with product.signed_in() as browser, product.api() as api:
        asks: dict[str, Callable[[str, int], tuple[httpx.Client, str]]] = {
            "last page, by API": lambda uid, size: (api, f"/api/v1/flow-runs/{uid}/flow-run-logs?after={size - 100}"),
            "a page in the middle, by API": lambda uid, size: (
                api,
                f"/api/v1/flow-runs/{uid}/flow-run-logs?page={size // 200}&per_page=100",
            ),
            "errors of its last third, by API": lambda uid, size: (
                api,
                f"/api/v1/flow-runs/{uid}/flow-run-logs?after={size * 2 // 3}&filter[level]=error",
            ),
            "its last step, by API": lambda uid, size: (
                api,
                f"/api/v1/flow-runs/{uid}/flow-run-logs?after={size - 100}&filter[flow_step_id]=load",
            ),
            "run page": lambda uid, size: (browser, f"/runs/{uid}/"),
            "run page at a line": lambda uid, size: (browser, f"/runs/{uid}/?from={size // 2}"),
        }
        for name, ask in asks.items():
            costs = []
            for uid, size in zip(runs, SIZES, strict=True):
                client, address = ask(uid, size)
                for _ in range(3):
                    assert client.get(address).status_code == 200, address
                with measured(product, web_only=True) as meter:
                    for _ in range(REQUESTS):
                        client.get(address)
                costs.append(meter.cpu / REQUESTS * 1000)
            others = ", ".join(f"{cost:.3g} at {size:,}" for cost, size in zip(costs, SIZES[:-1], strict=False))
            goal = END_GOAL if name == "last page, by API" else ""
            rows.append(Row(f"{name}, of {SIZES[-1]:,} lines", costs[-1], "ms CPU", goal, f"whole request; {others}"))
    return rows


# --- within the product's own Python ------------------------------------------------------------------


def measure() -> None:
    """Fill the database, ask, and print the figures as JSON."""
    from django.db import connection

    from runs_dashboard.models import Flow, Machine, Tenant, index_pending, log_index

    log_index.PAUSE = 0.0  # nobody else writes
    tenant = Tenant.objects.get(slug="default")
    flow = Flow.named("long", tenant=tenant, by=Machine(name="benchmark"))
    settle(connection)
    empty = count_bytes(connection)
    runs = [fill(flow, size) for size in SIZES]
    settle(connection)
    log = count_bytes(connection) - empty
    while index_pending(60):
        continue
    settle(connection)
    told = {
        "runs": [run.uid for run in runs],
        "raw": sum(run.log_bytes for run in runs),
        "log": log,
        "index": count_bytes(connection) - empty - log,
        "asked": {name: [ask_each(question(run), run) for run in runs] for name, question in QUESTIONS.items()},
    }
    told["asked"] |= {f"search {name} in {sum(SIZES):,} lines": [search(tenant, text)] for name, text in WORDS.items()}
    print(json.dumps(told))


def fill(flow: Any, size: int) -> Any:
    """A run of so many lines, sealed and ended."""
    from runs_dashboard.models import Machine, Report, Status, StepReport, seal
    from runs_dashboard.models.log import append_parts

    engine = Machine(name="benchmark")
    run = flow.start({}, trigger="external", by=engine)
    steps = [run.report_step(StepReport(slug, phase="running"), by=engine) for slug in STEPS]
    lines = write_lines(size)
    for start in range(0, size, BATCH):
        step = steps[min(start * len(steps) // size, len(steps) - 1)]
        append_parts(run, [(step, [next(lines) for _ in range(min(BATCH, size - start))])])
    for step in steps:
        seal(run, step)
    run.take_report(Report(phase=Status.FAILED), by=engine)
    run.refresh_from_db()
    return run


def write_lines(size: int) -> Iterator[Any]:
    """Lines as programs print them, a millisecond apart."""
    from runs_dashboard.text.intake import Line

    choose = random.Random(size)
    words = ["".join(choose.choices(SYLLABLES, k=choose.randint(2, 4))) for _ in range(3_000)]
    heads = []
    for _ in range(20_011):
        a, b, c, d = choose.choices(words, k=4)
        head = f"{a} {b} id={choose.getrandbits(32):08x} took {choose.randrange(9_999)}ms"
        heads.append(f"{head} host=worker-{choose.randrange(40)} {c} {d}=")
    for number in range(size):
        message = f"{heads[number * 7_919 % len(heads)]}{number * 2_654_435_761 % 1_048_576}"
        chance = choose.random()
        level = 3 if chance < ERROR_SHARE else 1
        if chance > 1 - TIMEOUT_SHARE:
            message += " connection timeout while waiting"
        if number == size * 2 // 3:
            message, level = f"{message} {RARE}", 4
        if number == size // 2 and size == SIZES[-1]:
            message += f" {ONLY}"
        yield Line(message, level, "stdout", START + number / 1_000)


def ask_each(question: Callable[[], Any], run: Any) -> tuple[float, str]:
    """CPU seconds of one answer, and what it was."""
    answer = question()
    seconds = cpu_of(question)
    return seconds, answer if isinstance(answer, str) else ""


def cpu_of(question: Callable[[], object]) -> float:
    """CPU seconds of a question, asked as often as it takes for the clock of the kernel to tell."""
    count, began, cpu = 0, time.perf_counter(), cpu_seconds()
    while count < 5 or (time.perf_counter() - began < 1.0 and count < 200):
        question()
        count += 1
    return (cpu_seconds() - cpu) / count


def cpu_seconds() -> float:
    """Of this process and of its PostgreSQL session."""
    from django.db import connection

    total = time.process_time()
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        times = psutil.Process(connection.connection.info.backend_pid).cpu_times()
        total += times.user + times.system
    return total


def moment(run: Any) -> datetime:
    return datetime.fromtimestamp(START, UTC) + timedelta(milliseconds=run.line_count * 3 // 5)


def view_of(run: Any, **filters: Any) -> Any:
    from runs_dashboard.models import LogView

    return LogView(run, **filters)


def find(run: Any, text: str, **how: Any) -> str:
    from runs_dashboard.models import find_in_log

    levels = how.pop("levels", frozenset())
    page = find_in_log(view_of(run, levels=levels), text, budget_seconds=600, **how)
    assert page.is_complete or (not how.get("is_counting") and len(page.lines) == how["limit"]), page
    return f"{page.count:,} hits, {page.chunks_read:,} chunks read"


QUESTIONS: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "its end": lambda run: lambda: view_of(run).before(limit=500),
    "a line in the middle": lambda run: lambda: view_of(run).after(run.line_count // 2, limit=500),
    "a time": lambda run: lambda: view_of(run).after(view_of(run).line_at(moment(run)) - 1, limit=500),
    "errors, its end": lambda run: lambda: view_of(run, levels=frozenset({3, 4})).before(limit=500),
    "errors from the middle": lambda run: (
        lambda: view_of(run, levels=frozenset({3, 4})).after(run.line_count // 2, limit=500)
    ),
    "the only critical line, from the beginning": lambda run: (
        lambda: view_of(run, levels=frozenset({4})).after(0, limit=1)
    ),
    "the same, backwards from the end": lambda run: lambda: view_of(run, levels=frozenset({4})).before(limit=1),
    "a step, its end": lambda run: lambda: view_of(run, action="transform").before(limit=500),
    "find a rare word": lambda run: lambda: find(run, RARE, limit=1),
    "find a word that is nowhere": lambda run: lambda: find(run, "qwertzuiop", limit=1),
    "find the next common word": lambda run: lambda: find(run, "took", after=run.line_count // 2, limit=1),
    "find the one before it": lambda run: (
        lambda: find(run, "took", before=run.line_count // 2, is_backward=True, limit=1)
    ),
    "find and count a rare word": lambda run: lambda: find(run, RARE, is_counting=True),
    "find and count a word in 0.1 % of the lines": lambda run: lambda: find(run, "timeout", is_counting=True),
}
WORDS = {
    "for a rare word": ONLY,
    "for a part of it": "nlyher",
    "for a word in 0.1 % of the lines": "timeout",
    "for a word that is nowhere": "qwertzuiop",
    "for a word in every line": "took",
}


def search(tenant: Any, text: str) -> tuple[float, str]:
    from runs_dashboard.models import search_logs

    page = search_logs(tenant, text, budget_seconds=60)
    found = f"{len(page.hits)} hits, {page.chunks_read} chunks read"
    return cpu_of(lambda: search_logs(tenant, text, budget_seconds=60)), found
