"""Saved views: a run list's address under a name, one's own or shared with the organisation."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction

from ..text.clean import clean
from .audit import Actor, AuditEntry
from .tenant import TenantQuerySet, TenantRow, tenant_managers
from .user import Membership, Role, User

if TYPE_CHECKING:
    from .tenant import Tenant

NAME_LENGTH = 100
QUERY_LENGTH = 4_000  # characters of an address
VIEWS_LIMIT = 100  # of one person in one tenant


class ViewRefused(Exception):
    """The view cannot be kept so; the text says why."""


class SavedViewQuerySet(TenantQuerySet):
    def visible_to(self, user: User) -> Self:
        """The person's own and those shared, by name."""
        return self.filter(models.Q(owner=user) | models.Q(is_shared=True)).order_by("name", "pk")


class SavedView(TenantRow):
    """query: the list's query string with its filters, sort and columns, in the spelling that the list writes."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey("User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=NAME_LENGTH)
    query = models.CharField(max_length=QUERY_LENGTH, blank=True)
    is_shared = models.BooleanField("shared", default=False, help_text="Everybody of the organisation finds it.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects, across_tenants = tenant_managers(SavedViewQuerySet)

    class Meta(TenantRow.Meta):
        verbose_name = "saved view"
        constraints = [models.UniqueConstraint(fields=["tenant", "owner", "name"], name="view_name_once")]
        indexes = [models.Index(fields=["tenant", "is_shared", "name"], name="view_by_name")]

    def __str__(self) -> str:
        return self.name

    # --- questions ----------------------------------------------------------------------------------------------

    def may_be_changed_by(self, membership: Membership) -> bool:
        """Its owner may, and an admin what is shared."""
        return self.owner_id == membership.user_id or (self.is_shared and membership.may(Role.ADMIN))

    # --- verbs --------------------------------------------------------------------------------------------------

    @classmethod
    def keep(
        cls, *, tenant: Tenant, owner: User, name: str, query: str, is_shared: bool = False, by: Actor
    ) -> tuple[SavedView, bool]:
        """A view under a name that the owner has not used. The same view kept twice is one: then False.

        Raises ViewRefused.
        """
        name = _read_name(name)
        own = cls.objects.of(tenant).filter(owner=owner)
        with transaction.atomic():
            User.objects.select_for_update().only("pk").get(pk=owner.pk)  # one after the other
            known = own.filter(name=name).first()
            if known is not None:
                if (known.query, known.is_shared) != (query, is_shared):
                    raise ViewRefused(f"You have a view {name} already: choose another name, or change that one.")
                return known, False
            if own.count() >= VIEWS_LIMIT:
                raise ViewRefused(f"You have {VIEWS_LIMIT} views: delete one that you do not need any more.")
            view = own.create(owner=owner, name=name, query=_read_query(query), is_shared=is_shared)
            AuditEntry.record("view.create", view, by=by, name=name, query=query, is_shared=is_shared)
        return view, True

    def change(
        self, *, by: Actor, name: str | None = None, query: str | None = None, is_shared: bool | None = None
    ) -> bool:
        """Writes what is given and differs; False if nothing does. Raises ViewRefused."""
        given: dict[str, Any] = {"is_shared": is_shared}
        given["name"] = None if name is None else _read_name(name)
        given["query"] = None if query is None else _read_query(query)
        with transaction.atomic():
            known = type(self).across_tenants.select_for_update().get(pk=self.pk)
            changes = {key: new for key, new in given.items() if new is not None and new != getattr(known, key)}
            if "name" in changes and self._siblings().filter(name=changes["name"]).exists():
                raise ViewRefused(f"There is a view {changes['name']} of the same owner already.")
            for key, value in changes.items():
                setattr(known, key, value)
            if changes:
                known.save()
                AuditEntry.record("view.edit", self, by=by, **{"of": self.name, **changes})
        self.refresh_from_db()
        return bool(changes)

    def remove(self, *, by: Actor) -> None:
        """Deletes it; who had it first sees all runs again."""
        with transaction.atomic():
            AuditEntry.record("view.delete", self, by=by, name=self.name, query=self.query, is_shared=self.is_shared)
            self.delete()

    change.alters_data = remove.alters_data = True  # type: ignore[attr-defined]

    def _siblings(self) -> SavedViewQuerySet:
        others: SavedViewQuerySet = type(self).objects.of(self.tenant_id).filter(owner_id=self.owner_id)
        return others.exclude(pk=self.pk)


def _read_name(name: str) -> str:
    name = " ".join(clean(name).split())
    if not name:
        raise ViewRefused("A view needs a name.")
    if len(name) > NAME_LENGTH:
        raise ViewRefused(f"A view's name has at most {NAME_LENGTH} characters.")
    return name


def _read_query(query: str) -> str:
    if len(query) > QUERY_LENGTH:
        raise ViewRefused("This list asks for too much to be kept as a view.")
    return query
