"""People and what they may do."""

from __future__ import annotations

import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models, transaction

from .tenant import TenantRow

if TYPE_CHECKING:
    from .view import SavedView


class Role(models.TextChoices):
    """What a member may do; each role may also do all that the ones before it may."""

    VIEWER = "viewer", "Viewer"
    SUPPORT = "support", "Support"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"

    def covers(self, other: Role | str) -> bool:
        """Whether this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(Role(other))


# How a log is shown: the first of each is what a person has who has not chosen.
LOG_DISPLAY = {
    "wrap": ("on", "off"),
    "time": ("clock", "since", "off"),
    "follow": ("on", "off"),
    "slab": ("dark", "page"),
}


def validate_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name} is not a time zone, such as Europe/Berlin.")


class User(AbstractUser):
    """A person who signs in. The number is `id`; `uuid` is what seed 2 calls `ran_by_id`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_zone])
    preferences = models.JSONField(default=dict, blank=True, help_text="Display choices: theme, log, columns.")
    has_made_up_password = models.BooleanField(
        default=False, help_text="The first password was printed by the product; the pages ask for a new one."
    )

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    def choose(self, **choices: Any) -> None:
        """Keeps display choices for this person, beside those that were made elsewhere meanwhile."""
        with transaction.atomic():
            row = type(self).objects.select_for_update().only("preferences").get(pk=self.pk)
            self.preferences = {**row.preferences, **choices}
            type(self).objects.filter(pk=self.pk).update(preferences=self.preferences)

    choose.alters_data = True  # type: ignore[attr-defined]

    @property
    def log_display(self) -> dict[str, str]:
        """How this person reads logs, by the names of LOG_DISPLAY."""
        chosen = {name: self.preferences.get(f"log_{name}") for name in LOG_DISPLAY}
        return {name: chosen[name] if chosen[name] in values else values[0] for name, values in LOG_DISPLAY.items()}

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.has_made_up_password = False


class Membership(TenantRow):
    """A user's role in a tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)
    first_view = models.ForeignKey(
        "SavedView", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantRow.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.tenant}"

    def may(self, role: Role | str) -> bool:
        return Role(self.role).covers(role)

    def open_with(self, view: SavedView | None) -> None:
        """Shows the person this view first from now on; None: all runs."""
        self.first_view = view
        type(self).across_tenants.filter(pk=self.pk).update(first_view=view)

    open_with.alters_data = True  # type: ignore[attr-defined]
