"""What a tenant keeps, by flow, and what of it goes next: from the days' counts, never from the runs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, models
from django.utils import timezone

from .download import Download, downloads_folder
from .flow import Flow
from .run import Run
from .storage import StoredDay, day_of

if TYPE_CHECKING:
    from .tenant import Tenant

PINNED_LIMIT = 10_000  # pinned runs that are summed up
GROWTH_DAYS = 7


@dataclass
class FlowStorage:
    """One flow's ended runs. going_…: what its own rule lets go next, to the day."""

    flow: Flow
    runs: int = 0
    log_bytes: int = 0
    oldest: date | None = None
    pinned_runs: int = 0
    pinned_bytes: int = 0
    going_runs: int = 0
    going_bytes: int = 0

    @property
    def has_rule(self) -> bool:
        flow = self.flow
        return any(bound is not None for bound in (flow.retention_days, flow.retention_bytes, flow.retention_runs))


@dataclass
class TenantStorage:
    """flows: those that keep something or have a rule of their own, the largest first. by_day: bytes of log of each of
    the last days, oldest first; today is not over.
    """

    flows: list[FlowStorage]
    by_day: list[tuple[date, int]]
    live_bytes: int
    downloads: int
    download_bytes: int
    is_counted: bool
    runs: int = field(init=False)
    log_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.runs = sum(one.runs for one in self.flows)
        self.log_bytes = sum(one.log_bytes for one in self.flows)

    @property
    def going_runs(self) -> int:
        return sum(one.going_runs for one in self.flows)

    @property
    def going_bytes(self) -> int:
        return sum(one.going_bytes for one in self.flows)

    @property
    def pinned_runs(self) -> int:
        return sum(one.pinned_runs for one in self.flows)

    @property
    def over_bound(self) -> int:
        """Bytes that the bound for all flows lets go beyond their own rules."""
        bound = settings.RETENTION_BYTES
        return max(0, self.log_bytes - self.going_bytes - bound) if bound else 0

    @property
    def daily_bytes(self) -> int:
        """What a day adds, on average over the last full days; 0 before there is one."""
        full = [size for _, size in self.by_day[-GROWTH_DAYS - 1 : -1]]
        began = next((place for place, size in enumerate(full) if size), len(full))
        return sum(full) // len(full[began:]) if full[began:] else 0


def sum_up_storage(tenant: Tenant, *, days: int = 30) -> TenantStorage:
    """The tenant's sums; days: how many of the last are told one by one."""
    today = timezone.now().date()
    stored = StoredDay.objects.of(tenant).filter(runs__gt=0).order_by()
    found = {flow.pk: FlowStorage(flow) for flow in Flow.objects.of(tenant)}
    sums = stored.values_list("flow").annotate(models.Sum("runs"), models.Sum("log_bytes"), models.Min("day"))
    for pk, runs, log_bytes, oldest in sums:
        one = found[pk]
        one.runs, one.log_bytes, one.oldest = runs, log_bytes, oldest
    _add_pinned(tenant, found, today)
    _add_going_by_age(stored, found, today)
    for one in found.values():
        _add_going_by_size(one)
    recent = stored.filter(day__gt=today - timedelta(days=days)).values_list("day").annotate(models.Sum("log_bytes"))
    of_day = dict(recent)
    ready = Download.objects.of(tenant).filter(status=Download.Status.READY).order_by()
    files = ready.aggregate(count=models.Count("pk"), size=models.Sum("size"))
    live = Run.objects.of(tenant).live().order_by().aggregate(size=models.Sum("log_bytes"))
    return TenantStorage(
        flows=sorted(
            (one for one in found.values() if one.runs or one.has_rule),
            key=lambda one: (-one.log_bytes, -one.runs, one.flow.slug),
        ),
        by_day=[(day, of_day.get(day, 0)) for back in range(days - 1, -1, -1) if (day := today - timedelta(days=back))],
        live_bytes=live["size"] or 0,
        downloads=files["count"],
        download_bytes=files["size"] or 0,
        is_counted=bool(of_day) or not Run.objects.of(tenant).final().exists(),
    )


def _add_pinned(tenant: Tenant, found: dict[int, FlowStorage], today: date) -> None:
    pinned = Run.objects.of(tenant).final().filter(is_pinned=True).order_by("-ordered_at", "-id")
    for flow, finished_at, log_bytes in pinned.values_list("flow_id", "finished_at", "log_bytes")[:PINNED_LIMIT]:
        one = found[flow]
        one.pinned_runs, one.pinned_bytes = one.pinned_runs + 1, one.pinned_bytes + log_bytes
        days = one.flow.kept_days
        if days and day_of(finished_at) < today - timedelta(days=days):  # counted among what goes, below
            one.going_runs, one.going_bytes = one.going_runs - 1, one.going_bytes - log_bytes


def _add_going_by_age(stored: models.QuerySet, found: dict[int, FlowStorage], today: date) -> None:
    by_days: dict[int, list[int]] = {}
    for pk, one in found.items():
        if one.flow.kept_days:
            by_days.setdefault(one.flow.kept_days, []).append(pk)
    for days, flows in by_days.items():
        old = stored.filter(flow__in=flows, day__lt=today - timedelta(days=days))
        for pk, runs, log_bytes in old.values_list("flow").annotate(models.Sum("runs"), models.Sum("log_bytes")):
            found[pk].going_runs += runs
            found[pk].going_bytes += log_bytes


def _add_going_by_size(one: FlowStorage) -> None:
    """What the bounds of number and bytes take beyond the age; of bytes and runs each follows from the other."""
    one.going_runs, one.going_bytes = max(0, one.going_runs), max(0, one.going_bytes)
    left, left_bytes = one.runs - one.going_runs, one.log_bytes - one.going_bytes
    each = left_bytes / left if left else 0
    over = left - one.pinned_runs - one.flow.retention_runs if one.flow.retention_runs else 0
    if over > 0:
        one.going_runs, one.going_bytes = one.going_runs + over, one.going_bytes + round(over * each)
        left_bytes -= round(over * each)
    over_bytes = min(left_bytes - one.pinned_bytes, left_bytes - (one.flow.retention_bytes or left_bytes))
    if over_bytes > 0 and each:
        one.going_runs, one.going_bytes = (
            one.going_runs + max(1, round(over_bytes / each)),
            one.going_bytes + over_bytes,
        )


@dataclass(frozen=True)
class MachineStorage:
    """Bytes: of the database, of what lies beside it in the data folder's downloads, free and in all on its disk."""

    database: int
    downloads: int
    free: int
    disk: int


def measure_machine() -> MachineStorage:
    """What all tenants take together, and what is left."""
    disk = shutil.disk_usage(settings.DATA_DIR)
    return MachineStorage(_database_size(), _folder_size(downloads_folder()), disk.free, disk.total)


def _database_size() -> int:
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        files = [Path(name), Path(f"{name}-wal")]
        return sum(path.stat().st_size for path in files if path.exists())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _folder_size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except FileNotFoundError:
        return 0
