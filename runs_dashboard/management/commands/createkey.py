"""`manage.py createkey`: a new API key, alone on standard output."""

from argparse import ArgumentParser
from typing import Any

from ...models import ApiKey, Membership, Role
from ..plain_command import COMMAND_LINE, Error, PlainCommand, find_tenant, find_user


class Command(PlainCommand):
    help = "Prints a new API key of a user, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, help="whose key")
        parser.add_argument("--tenant", default="default", help="id of the tenant it is for (default)")
        parser.add_argument("--role", choices=Role.values, help="what it may do (as much as the user)")
        parser.add_argument("--name", default="", help="to tell it from others")

    def handle(self, *, user: str, tenant: str, role: str | None, name: str, **options: Any) -> None:
        self.require_database()
        owner, place = find_user(user), find_tenant(tenant)
        member = Membership.objects.of(place).filter(user=owner).first()
        if member is None and not owner.is_superuser:
            raise Error(f"{user} is not a member of {tenant}: the key could do nothing.")
        own = Role.ADMIN if owner.is_superuser or member is None else Role(member.role)
        if role is not None and not own.covers(role):
            raise Error(f"{user} is {own} of {tenant}: a key cannot do more than its owner.")
        if len(name) > 100:
            raise Error("A key's name has at most 100 characters.")
        _, secret = ApiKey.make(user=owner, tenant=place, role=role or own, by=COMMAND_LINE, name=name)
        self.print(secret)
