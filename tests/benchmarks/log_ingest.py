"""Lines into the log store by each way there is, against a raw INSERT of the same text into the same database."""

import time
from typing import Any

from ..product import Product
from .api_append import append_for, write_message
from .context import Context, command_flow, measured, post_webhook, read_run, wait_until_final
from .table import Row

LINES = 300_000
BATCH = 1_000  # lines in a transaction
COMMANDS = 4
SECONDS = 4.0
TEXT = "order %06.0f was copied to the warehouse, 3 positions, host=worker-7 rows=1288"


def run(context: Context) -> list[Row]:
    with context.running() as product, product.api() as api:
        code = "from tests.benchmarks.log_ingest import insert_raw; print(*insert_raw())"
        raw, size = map(float, product.manage("shell", "-v0", "-c", code).split()[-2:])
        rows = [
            Row(
                f"raw INSERT, a row a line, {BATCH:,} a transaction",
                raw,
                "lines/s",
                "",
                f"{LINES:,} lines of {len(write_message(0))} characters; {size:.0f} bytes a line on disk",
            )
        ]
        product.load_flow(command_flow("talker", ["seq", "-f", TEXT, str(LINES)]))
        for count in (1, COMMANDS):
            with measured(product) as meter:
                runs = [post_webhook(api, "talker") for _ in range(count)]
                for uid in runs:
                    assert wait_until_final(api, uid, seconds=600, every=0.1)["phase"] == "succeeded"
            rows.append(describe(f"{count} command step{'s' if count > 1 else ''}", count * LINES, meter, raw))
        kept = measure_bytes(product, read_run(api, runs[-1])["id"])
        rows.append(Row("a line of a command on disk", kept, "bytes", "", f"raw text {len(write_message(0)) + 1}"))
        for count in (1, COMMANDS):
            lines, meter = append_for(product, api, count, BATCH, seconds=SECONDS)
            rows.append(describe(f"{count} client{'s' if count > 1 else ''} of the API", lines, meter, raw))
    return rows


def describe(who: str, lines: int, meter: Any, raw: float) -> Row:
    rate = lines / meter.seconds
    detail = f"{rate / raw:.1f} × the raw INSERT; {meter.cpu / lines * 1e6:.1f} ms of CPU for 1,000 lines"
    return Row(f"lines a second from {who}", rate, "lines/s", "≥ 50,000", detail)


def measure_bytes(product: Product, uid: str) -> float:
    code = f"from tests.benchmarks.log_ingest import count_kept; print(count_kept({uid!r}))"
    return float(product.manage("shell", "-v0", "-c", code).split()[-1])


# --- within the product's own Python ------------------------------------------------------------------


def insert_raw() -> tuple[float, float]:
    """Lines a second, and bytes a line, of a plain table with a row a line."""
    from django.db import connection, transaction

    from .log_search import count_bytes, settle

    texts = [write_message(number) for number in range(LINES)]
    with connection.cursor() as cursor:
        key = "INTEGER PRIMARY KEY" if connection.vendor == "sqlite" else "BIGSERIAL PRIMARY KEY"
        cursor.execute(f"CREATE TABLE raw_lines (id {key}, run_id BIGINT NOT NULL, line BIGINT NOT NULL, text TEXT)")
        settle(connection)
        before = count_bytes(connection)
        began = time.perf_counter()
        for start in range(0, LINES, BATCH):
            rows = [(1, start + place, text) for place, text in enumerate(texts[start : start + BATCH])]
            with transaction.atomic():
                cursor.executemany("INSERT INTO raw_lines (run_id, line, text) VALUES (%s, %s, %s)", rows)
        seconds = time.perf_counter() - began
        settle(connection)
        size = (count_bytes(connection) - before) / LINES
        cursor.execute("DROP TABLE raw_lines")
    return LINES / seconds, size


def count_kept(uid: str) -> float:
    """Bytes a line of a run's chunks as they are kept."""
    from django.db import connection

    from runs_dashboard.models import Run

    run = Run.across_tenants.get(uid=uid)
    measure = "length" if connection.vendor == "sqlite" else "pg_column_size"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT sum({measure}(body)) FROM runs_dashboard_logchunk WHERE run_id = %s", [run.pk])
        return float(cursor.fetchone()[0]) / run.line_count
