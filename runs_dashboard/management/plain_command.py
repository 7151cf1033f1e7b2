"""What the product's own commands share."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ..models import Machine, Tenant, User
from ..web.health import is_ready

COMMAND_LINE = Machine(name="command line")


class Error(CommandError):
    """A sentence for the person at the keyboard: printed as `Error: …`, exit code 1."""


class PlainCommand(BaseCommand):
    """A command without Django's own options in its help, and without checks that cost more than its work."""

    requires_system_checks: list[str] = []
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--no-color", "--force-color"}

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Read by manage.py already, because the settings depend on it.
        parser.add_argument("--data-dir", metavar="FOLDER", help="folder of the database and all files (data)")
        return parser

    def require_database(self) -> None:
        """Raises Error, with what to do, where the database is not there or not up to date."""
        if not is_ready():
            raise Error(
                "The database does not answer or is not up to date: "
                "start `manage.py up` once, or run `manage.py migrate`."
            )

    def print(self, *lines: str) -> None:
        """Lines on standard output, there at once also where it is a file."""
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def find_tenant(slug: str) -> Tenant:
    """The tenant with this id. Raises Error."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        known = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise Error(f"There is no tenant {slug!r}. Tenants: {known or 'none yet; manage.py up makes one'}.")
    return tenant


def find_user(username: str) -> User:
    """The user with this name. Raises Error."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise Error(f"There is no user {username!r}.")
    return user
