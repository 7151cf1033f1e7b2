"""What is kept, how much it takes, and when it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from ...models import Purge, Role, Tenant
from ...models.storage_sums import measure_machine, sum_up_storage
from ..access import needs
from ..storage_words import say_rule
from ..words import say_size

if TYPE_CHECKING:
    from django.http import HttpResponse

    from ...models.storage_sums import MachineStorage, TenantStorage
    from ..access import MemberRequest

SHOWN = 200  # flows
DAYS = 30  # of the chart


@require_GET
@needs(Role.VIEWER)
def storage(request: MemberRequest) -> HttpResponse:
    """Sums from the days' counts: the page costs the same however many runs there are."""
    found = sum_up_storage(request.tenant, days=DAYS)
    machine = measure_machine() if _may_see_machine(request) else None
    context = {
        "storage": found,
        "rows": [
            {"storage": one, "rule": say_rule(one.flow), **_share(one.log_bytes, found.log_bytes)}
            for one in found.flows[:SHOWN]
        ],
        "hidden": max(0, len(found.flows) - SHOWN),
        "machine": machine,
        "forecast": _forecast(found, machine),
        "bars": _draw_days(found.by_day),
        "next_at": Purge.next_at(),
        "days": settings.RETENTION_DAYS,
        "bound": settings.RETENTION_BYTES,
        "bound_share": min(100, 100 * found.log_bytes // settings.RETENTION_BYTES) if settings.RETENTION_BYTES else 0,
        "as_of": timezone.now(),
    }
    return render(request, "storage/storage.html", context)


def _may_see_machine(request: MemberRequest) -> bool:
    """The machine's own numbers hold every tenant's data: they are for its keeper, or for the only tenant there is."""
    return request.user.is_superuser or Tenant.objects.exclude(pk=request.tenant.pk).first() is None


def _share(part: int, whole: int) -> dict[str, Any]:
    share = 100 * part / (whole or 1)
    return {"share": share, "percent": "< 1 %" if 0 < share < 1 else f"{share:.0f} %"}


def _forecast(found: TenantStorage, machine: MachineStorage | None) -> list[str]:
    """What the last days say of the next months, in sentences."""
    daily = found.daily_bytes
    if not daily:
        return ["Nothing was added in the last days."] if found.runs else []
    said = [f"A day adds {say_size(daily)} of log, by the last seven full days."]
    if settings.RETENTION_DAYS:
        said.append(
            f"At this pace {settings.RETENTION_DAYS} days of runs are {say_size(daily * settings.RETENTION_DAYS)}."
        )
    else:
        said.append(f"At this pace it is {say_size(daily * 365)} more in a year: nothing lets it go.")
    if settings.RETENTION_BYTES and (left := settings.RETENTION_BYTES - found.log_bytes) > 0:
        said.append(f"The bound of {say_size(settings.RETENTION_BYTES)} is reached in {_say_days(left // daily)}.")
    if machine is not None and found.log_bytes:
        growth = daily * machine.database / found.log_bytes
        said.append(f"Without any retention the disk would be full in {_say_days(int(machine.free / growth))}.")
    return said


def _say_days(days: int) -> str:
    if days > 3_650:
        return "more than ten years"
    return "a day" if days <= 1 else f"{days:,} days" if days < 730 else f"{days // 365} years"


def _draw_days(by_day: list[tuple[Any, int]]) -> list[dict[str, Any]]:
    """A bar a day, as shares of the chart: x, width, y, height in per cent."""
    most = max((size for _, size in by_day), default=0) or 1
    width = 100 / len(by_day)
    return [
        {
            "x": f"{place * width + width * 0.12:.2f}%",
            "width": f"{width * 0.76:.2f}%",
            "y": f"{100 - 100 * size / most:.2f}%",
            "height": f"{100 * size / most:.2f}%",
            "title": f"{day.day} {day:%b}: {say_size(size)}",
        }
        for place, (day, size) in enumerate(by_day)
    ]
