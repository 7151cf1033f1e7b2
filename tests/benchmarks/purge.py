"""Retention at work: rows deleted a second, and how long a writer waits meanwhile."""

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from ..product import ROOT
from .context import Context, percentile
from .table import Row

LINES = int(os.environ.get("BENCHMARK_PURGE_LINES", "2000000"))
RUNS = 20_000
QUIET_APPENDS = 200


def run(context: Context) -> list[Row]:
    product = context.make_product()
    try:
        product.manage("migrate", timeout=120)
        product.manage("shell", "-c", "from runs_dashboard.models import Tenant; Tenant.objects.create(slug='default')")
        product.manage(
            "generate", "--runs", str(RUNS), "--lines", str(LINES // RUNS), "--days", "60", "--seed", "3", timeout=3_000
        )
        code = "from tests.benchmarks.purge import measure; measure()"
        found: dict[str, Any] = json.loads(product.manage("shell", "-c", code, timeout=3_000).splitlines()[-1])
    finally:
        context.make_product.end(product)
    rows, lines, seconds = found["rows"], found["lines"], found["seconds"]
    quiet, busy = found["quiet"], found["busy"]
    detail = f"{found['runs']:,} runs, {lines:,} lines; {rows:,} rows of all tables in {seconds:.1f} s"
    detail += f", {found['cpu']:.1f} s of our own CPU"
    waits = f"quiet: p50 {statistics.median(quiet) * 1000:.1f}, longest {max(quiet) * 1000:.0f} ms"
    return [
        Row("rows that retention deletes a second", rows / seconds, "rows/s", "", detail),
        Row("lines that go with them a second", lines / seconds, "lines/s"),
        Row("appending a line while it deletes, p50", statistics.median(busy) * 1000, "ms", "", waits),
        Row("the same, p99", percentile(busy, 99) * 1000, "ms"),
        Row("the longest wait", max(busy) * 1000, "ms", "≤ 1,000", f"{len(busy):,} appends by another process"),
    ]


# --- within the product's own Python ------------------------------------------------------------------


def measure() -> None:
    """Delete everything while another process appends, and print the figures as JSON."""
    from django.db.models import Sum

    from runs_dashboard.models import AuditEntry, Flow, LogChunk, Run, RunTag, Step, Tenant, TrackedData, purge

    tenant = Tenant.objects.get(slug="default")
    flow = Flow.objects.of(tenant).first()
    uid = flow.start({}, trigger="api", by=_machine(), is_external=True).uid
    command = [sys.executable, "manage.py", "shell", "-c", f"from tests.benchmarks.purge import write; write({uid!r})"]
    ended = Run.objects.of(tenant).final()
    lines = ended.aggregate(lines=Sum("line_count"))["lines"]
    tables = (LogChunk, RunTag, Step, TrackedData)
    before = sum(model.across_tenants.count() for model in tables)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        while "quiet" not in writer.stdout.readline():
            assert writer.poll() is None
        Run.across_tenants.final().update(is_pinned=False)
        began, cpu = time.perf_counter(), time.process_time()
        gone = purge(days=1, by=_machine())
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        told, _ = writer.communicate("end\n", timeout=60)
    left = sum(model.across_tenants.count() for model in tables)
    lines -= ended.aggregate(lines=Sum("line_count"))["lines"] or 0
    figures = {"rows": before - left + gone.runs, "lines": lines, "runs": gone.runs, "seconds": seconds, "cpu": cpu}
    assert AuditEntry.across_tenants.filter(action="flow.purge").exists()
    print(json.dumps(figures | json.loads(told.splitlines()[-1])))


def write(uid: str) -> None:
    """Append lines until somebody says end, and print the seconds that each took: before the purge, and during it."""
    import threading

    from runs_dashboard.models import Run, append
    from runs_dashboard.text.intake import Line

    run = Run.across_tenants.get(uid=uid)
    is_over = threading.Event()
    quiet: list[float] = []
    busy: list[float] = []

    def add() -> float:
        began = time.perf_counter()
        append(
            run, [Line("a line of eighty characters or so, as most of them are in real logs", 1, "stdout", time.time())]
        )
        return time.perf_counter() - began

    while len(quiet) < QUIET_APPENDS:
        quiet.append(add())
    print("quiet", flush=True)

    def wait() -> None:
        sys.stdin.readline()
        is_over.set()

    threading.Thread(target=wait, daemon=True).start()
    while not is_over.is_set():
        busy.append(add())
        time.sleep(0.005)
    print(json.dumps({"quiet": quiet, "busy": busy}))


def _machine() -> Any:
    from runs_dashboard.models import Machine

    return Machine(name="benchmark")
