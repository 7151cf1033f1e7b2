"""The numbers behind /metrics: from short indexes and roll-ups, never from a scan; no tenant is named."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.signals import got_request_exception, request_started
from django.db import models
from django.utils import timezone
from prometheus_client import REGISTRY, Counter, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from ..models import FINAL, Download, Run, Status, Worker, count_for_ever

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from prometheus_client.core import Metric

LIMIT = settings.COUNT_LIMIT

_requests = Counter("http_requests", "Requests answered by this process since it was first asked for metrics.")
_failures = Counter("http_request_failures", "Requests that ended in a server error, since then.")


def _count_request(**event: Any) -> None:
    _requests.inc()


def _count_failure(**event: Any) -> None:
    _failures.inc()


class ProductCollector:
    """What the database says at the moment of the scrape."""

    def describe(self) -> list[Metric]:
        return []  # else the registry would ask the database when it is told of this collector

    def collect(self) -> Iterator[Metric]:
        queued = Run.across_tenants.filter(status=Status.QUEUED, is_external=False).order_by()
        running = Run.across_tenants.filter(status=Status.RUNNING).order_by()
        waiting = Download.across_tenants.filter(status__in=[Download.Status.QUEUED, Download.Status.RUNNING])
        workers = Worker.objects.alive().aggregate(
            count=models.Count("pk"), slots=models.Sum("slots"), busy=models.Sum("busy")
        )
        oldest = queued.aggregate(at=models.Min("queued_at"))["at"]
        age = max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0
        disk = shutil.disk_usage(settings.DATA_DIR)
        ever = count_for_ever()
        ended = CounterMetricFamily(
            "runs_dashboard_runs_ended", "Runs that have ended, deleted ones too.", labels=["status"]
        )
        for status in sorted(FINAL):
            ended.add_metric([status], ever[status])
        yield ended
        yield CounterMetricFamily(
            "runs_dashboard_run_seconds", "Time that the runs which succeeded took.", value=ever["took_ms"] / 1000
        )
        yield _gauge("runs_queued", f"Runs that wait for a worker, at most {LIMIT:,}.", _count(queued))
        yield _gauge("runs_running", f"Runs in progress, at most {LIMIT:,}.", _count(running))
        yield _gauge("queue_age_seconds", "How long the longest waiting run has waited.", age)
        yield _gauge("downloads_waiting", f"Downloads to be made, at most {LIMIT:,}.", _count(waiting.order_by()))
        yield _gauge("workers_alive", "Workers that were seen within a lease.", workers["count"])
        yield _gauge("worker_slots", "Runs that they can execute at once.", workers["slots"] or 0)
        yield _gauge("worker_slots_busy", "Slots that are taken.", workers["busy"] or 0)
        yield _gauge("data_disk_free_bytes", "Room left where the data folder lies.", disk.free)
        yield _gauge("data_disk_size_bytes", "Size of that disk.", disk.total)


def _count(rows: models.QuerySet) -> int:
    return rows.values("pk")[:LIMIT].count()


def _gauge(name: str, said: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"runs_dashboard_{name}", said, value=value)


def export() -> tuple[bytes, str]:
    """All metrics as text, and its content type."""
    return exposition.generate_latest(REGISTRY), exposition.CONTENT_TYPE_LATEST


REGISTRY.register(ProductCollector())  # type: ignore[arg-type]
request_started.connect(_count_request)
got_request_exception.connect(_count_failure)
