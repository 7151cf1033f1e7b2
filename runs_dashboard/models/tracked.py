"""What hangs on a run: tracked data, tags, the end user, payloads, metadata."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.db import connection, models

from .tenant import TenantQuerySet, TenantRow, tenant_managers

if TYPE_CHECKING:
    from collections.abc import Collection

HOPS = 40  # of one look-up of known words


class PairQuerySet(TenantQuerySet):
    """Keys with values, which hang on runs."""

    def known(self, column: str, begins: str = "", *, limit: int = 20) -> list[str]:
        """The first few words that stand in `column` (`key`, or `value` of rows filtered by key) and begin so.

        Hops along the index from one word to the next: a DISTINCT would read all of the tenant's rows.
        """
        found: list[str] = []
        word = self.filter(**{f"{column}__gte": begins}).order_by(column).values_list(column, flat=True)
        rows = self.order_by(column).values_list(column, flat=True)
        for _ in range(HOPS):
            here = next(iter(word[:1]), None)
            if here is None or len(found) >= limit:
                break
            if here.lower().startswith(begins.lower()):
                found.append(here)
            elif found:
                break
            word = rows.filter(**{f"{column}__gt": here})
        return found


class TrackedData(TenantRow):
    """A business key of a run (`order_id=1234`), searchable."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="tracked_data", db_index=False)
    key = models.CharField(max_length=100)
    value = models.CharField(max_length=255)

    objects, across_tenants = tenant_managers(PairQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name_plural = "tracked data"
        constraints = [models.UniqueConstraint(fields=["run", "key", "value"], name="tracked_once")]
        indexes = [
            models.Index(fields=["tenant", "key", "value", "-run"], name="tracked_by_key"),
            models.Index(fields=["tenant", "value", "-run"], name="tracked_by_value"),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class RunTag(TenantRow):
    """A tag of a run: a key with one value."""

    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="tags", db_index=False)
    key = models.CharField(max_length=100)
    value = models.CharField(max_length=255, blank=True)

    objects, across_tenants = tenant_managers(PairQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "tag"
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="tag_once")]
        indexes = [
            models.Index(fields=["tenant", "key", "value", "-run"], name="tag_by_key"),
            models.Index(fields=["tenant", "value", "-run"], name="tag_by_value"),
        ]

    def __str__(self) -> str:
        return f"{self.key}:{self.value}"


Pairs = list[tuple[str, str]]


def first_pairs(runs: Collection[int], count: int) -> dict[int, tuple[Pairs, Pairs]]:
    """Of runs (primary keys, known to be one tenant's) the first few tracked data, and the first few tags by key.

    Only those that have any are in it. One statement in plain SQL: as two query sets it took a sixth of the time of
    a page of runs. (Asked for by tenant, SQLite would read every pair of the tenant.)
    """
    if not runs:
        return {}
    places = ", ".join(["%s"] * len(runs))
    part = (
        "SELECT * FROM (SELECT run_id, {kind}, key, value,"  # noqa: S608  (names of our own)
        " ROW_NUMBER() OVER (PARTITION BY run_id ORDER BY {order}) AS place"
        f" FROM {{table}} WHERE run_id IN ({places})) AS pairs WHERE place <= %s"
    )
    tracked = part.format(kind="0", order="id", table="runs_dashboard_trackeddata")
    tags = part.format(kind="1", order="key", table="runs_dashboard_runtag")
    found: dict[int, tuple[Pairs, Pairs]] = {}
    with connection.cursor() as cursor:
        cursor.execute(f"{tracked} UNION ALL {tags} ORDER BY 1, 2, 5", [*runs, count] * 2)
        for run, kind, key, value, _ in cursor.fetchall():
            found.setdefault(run, ([], []))[kind].append((key, value))
    return found


class EndUser(TenantRow):
    """The person or system on whose behalf a run ran (seed 4: created_by_end_user)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40, default="service_api")
    session_id = models.CharField(max_length=255)
    is_anonymous = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantRow.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "type", "session_id"], name="end_user_once")]
        indexes = [models.Index(fields=["tenant", "session_id"], name="end_user_by_session")]

    def __str__(self) -> str:
        return self.session_id

    @classmethod
    def of(cls, tenant_id: int, type: str, session_id: str, *, is_anonymous: bool = False) -> EndUser:
        """The tenant's end user of that type and session, made on first sight."""
        return cls.objects.of(tenant_id).get_or_create(
            tenant_id=tenant_id, type=type, session_id=session_id, defaults={"is_anonymous": is_anonymous}
        )[0]


class Payload(TenantRow):
    """A body attached to a log entry: request, response or record. Secrets are masked before it is kept."""

    class Kind(models.TextChoices):
        REQUEST = "request", "Request"
        RESPONSE = "response", "Response"
        RECORD = "record", "Record"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="payloads", db_index=False)
    step = models.ForeignKey("Step", null=True, on_delete=models.CASCADE, related_name="payloads", db_index=False)
    line = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.RECORD)
    name = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.TextField(blank=True)
    size = models.BigIntegerField(default=0)
    is_truncated = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantRow.Meta):
        indexes = [models.Index(fields=["run", "line"], name="payload_of_line")]

    def __str__(self) -> str:
        return f"{self.kind} of line {self.line}"


class LogMetadata(TenantRow):
    """What an engine said of a log entry beside its text."""

    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="log_metadata", db_index=False)
    line = models.BigIntegerField()
    data = models.JSONField(default=dict)

    class Meta(TenantRow.Meta):
        verbose_name_plural = "log metadata"
        constraints = [models.UniqueConstraint(fields=["run", "line"], name="metadata_of_line")]

    def __str__(self) -> str:
        return f"metadata of line {self.line}"
