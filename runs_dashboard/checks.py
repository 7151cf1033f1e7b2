"""System checks that explain wrong settings before anybody loses a run by them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def check_worker_times(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Leases must outlive a few missed beats."""
    found: list[CheckMessage] = []
    if settings.LEASE_SECONDS < 3 * settings.BEAT_SECONDS:
        found.append(
            Error(
                f"LEASE_SECONDS ({settings.LEASE_SECONDS:g}) is less than three times BEAT_SECONDS "
                f"({settings.BEAT_SECONDS:g}): a short pause of a worker would close its runs.",
                hint="Raise LEASE_SECONDS or lower BEAT_SECONDS.",
                id="runs_dashboard.E001",
            )
        )
    if settings.WORKER_SLOTS < 1:
        found.append(Error("WORKER_SLOTS must be at least 1.", id="runs_dashboard.E002"))
    if settings.RETENTION_DAYS < 0:
        found.append(
            Error(
                "RETENTION_DAYS is negative.",
                hint="0 keeps everything, 90 deletes runs that ended more than 90 days ago.",
                id="runs_dashboard.E003",
            )
        )
    return found


@register()
def check_http_allow(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """HTTP_ALLOW must be readable: a typing mistake would otherwise only show in a failing step."""
    from .execution.outbound import parse_allowed

    try:
        parse_allowed(settings.HTTP_ALLOW)
    except ValueError as error:
        return [Error(f"HTTP_ALLOW: {error}", id="runs_dashboard.E004")]
    return []


@register(deploy=True)
def check_broker(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The distributed engine on SQLite works on one machine only."""
    if settings.BROKER_URL and settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return [
            Warning(
                "BROKER_URL is set while the database is SQLite: workers on other machines cannot reach it.",
                hint="Set DATABASE_URL to a PostgreSQL database, or unset BROKER_URL.",
                id="runs_dashboard.W001",
            )
        ]
    return []
