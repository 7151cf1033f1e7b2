"""A bulk action whose worker is killed in the middle, again and again: every run is retried exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil

from ..browser.test_bulk import make_failed
from ..product import wait_for

if TYPE_CHECKING:
    import httpx

    from ..product import Product

RUNS = 80


def read(api: httpx.Client, path: str, **params: Any) -> dict[str, Any]:
    answer = api.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def find_workers(product: Product) -> list[psutil.Process]:
    """The children of the product that serve no pages."""
    children = psutil.Process(product.pid).children()
    return [
        child for child in children if not any(one.status == psutil.CONN_LISTEN for one in child.net_connections("tcp"))
    ]


def test_each_run_is_retried_once_whoever_is_killed(fresh_dashboard: Product) -> None:
    make_failed(fresh_dashboard, "bulk-kill", RUNS)
    with fresh_dashboard.api() as api:
        asked = {"action": "retry", "filter": {"flow_id": "bulk-kill", "status": "failed"}, "per_second": 20}
        made = api.post("/api/v1/bulk-actions", json=asked).json()
        path = f"bulk-actions/{made['id']}"
        killed: list[int] = []
        for enough in (5, 25, 50):
            wait_for(lambda enough=enough: read(api, path)["done"] >= enough, f"{enough} acts", seconds=60, every=0.02)
            victims = wait_for(lambda: find_workers(fresh_dashboard), "a worker", seconds=20, every=0.02)
            for worker in victims:
                worker.kill()
            killed += [worker.pid for worker in victims]
        ended = wait_for(
            lambda: (found := read(api, path))["status"] == "done" and found, "its end", seconds=90, every=0.2
        )
        assert len(set(killed)) == 3
        assert (ended["done"], ended["refused"], ended["skipped"]) == (RUNS, 0, 0)
        assert read(api, "flow-runs", **{"filter[flow_id]": "bulk-kill", "filter[trigger]": "retry"})["total"] == RUNS
        results = read(api, f"{path}/results", per_page=100)["items"]
        assert len({item["run_id"] for item in results}) == len({item["new_run_id"] for item in results}) == RUNS
