"""docs/api.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as given

from runs_dashboard.api import analytics, bodies, errors, incoming, openapi, parsers, reports, tokens
from runs_dashboard.api.urls import urlpatterns
from runs_dashboard.models.bulk_action import KEEP_DAYS, MOST_PER_SECOND, MOST_RUNS, USUAL_PER_SECOND
from runs_dashboard.models.retention import IDEMPOTENCY_DAYS

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_every_address_in_it_is_served() -> None:
    served = {path for path, _, _ in openapi.find_operations(urlpatterns)} | {
        "/api/v1/docs",
        "/api/v1/flow-runs/{run_id}/flow-run-logs/stream",
    }
    patterns = [re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))) for path in served]
    named = re.findall(r"\$URL(/[^\s?\"`]+)", TEXT)

    assert len(named) > 12
    for path in named:
        assert any(pattern.fullmatch(path) for pattern in patterns), path


def test_every_status_is_in_its_table() -> None:
    listed = {int(status) for status in re.findall(r"^\| (\d{3}) \|", TEXT, re.MULTILINE)}
    declared = {status for _, _, one in openapi.find_operations(urlpatterns) for status in openapi._errors(one)}
    raised = {status for _, status, _, _ in errors.TABLE} | {401, 403, 404, 409, 413, 415, 422, 429}

    assert listed == declared | raised


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("10 MiB", given.DATA_UPLOAD_MAX_MEMORY_SIZE / 2**20 == 10),
        ("64 MiB", given.INFLATED_MAX_BYTES / 2**20 == 64),
        ("1 MiB of JSON", given.ARGS_MAX_BYTES == 2**20),
        ("32, 10,000, 100,000", (parsers.MAX_DEPTH, parsers.MAX_KEYS, parsers.MAX_ITEMS) == (32, 10_000, 100_000)),
        ("| 100,000 | 413", incoming.MAX_LINES == 100_000),
        ("65,536 characters", given.LOG_LINE_MAX == 65_536),
        ("256 KiB", given.PAYLOAD_MAX_BYTES == 256 * 1024),
        ("4 GiB", given.LOG_MAX_BYTES == 4 * 2**30),
        ("100; 1,000", analytics.MAX_PAGE_SIZE == 1_000),
        ("kept 7 days", IDEMPOTENCY_DAYS == 7),
        ("at most 10,000 runs (409 beyond", MOST_RUNS == 10_000),
        ("1 to 50 runs a second, 5 by default", (MOST_PER_SECOND, USUAL_PER_SECOND) == (50, 5)),
        ("kept for 90 days", KEEP_DAYS == 90),
        ("| 20,000 | 429", reports.QUEUE_LIMIT == 20_000),
        ("| 60,000; 240,000 a minute | 429", (given.API_RATE_PER_KEY, given.API_RATE_PER_TENANT) == (60_000, 240_000)),
        (
            "| 120,000; 480,000 a minute | 429",
            (given.API_LOG_RATE_PER_KEY, given.API_LOG_RATE_PER_TENANT) == (120_000, 480_000),
        ),
        ("token for an hour", tokens.LIFETIME.total_seconds() == 3_600),
        ("exact up to 10,000", given.COUNT_LIMIT == 10_000),
        ("`^[a-z0-9_.-]+$`", "^[a-z0-9_.-]+$" in str(bodies.Id)),
    ],
)
def test_every_limit_is_the_real_one(said: str, value: Any) -> None:
    assert said in TEXT
    assert value
