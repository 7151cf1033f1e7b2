"""What an empty installation is given: a tenant, an admin, an environment, the bundled flows."""

from __future__ import annotations

import fcntl
import secrets
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from ..definition.yaml_source import parse
from ..models import Environment, Flow, FlowVersion, Machine, Membership, Role, Tenant, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUNDLED = Path(__file__).resolve().parent.parent / "flows"
SETUP = Machine(name="setup")
ENVIRONMENT = "dashboard"


def prepare(say: Callable[[str], None]) -> None:
    """Brings the database up to date and gives it what it lacks; what is there stays. say: takes a line."""
    with _alone():
        lay_out_file()
        call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        with transaction.atomic():
            tenant = make_tenant()
            if tenant is not None:
                publish_environment(tenant)
                load_bundled(tenant)
        make_admin(tenant, say)


def lay_out_file() -> None:
    """A new SQLite file is made such that purged runs give their space back; later that cannot be chosen any more."""
    of = settings.DATABASES["default"]
    if of["ENGINE"].endswith("sqlite3") and not Path(of["NAME"]).exists():
        with closing(sqlite3.connect(of["NAME"], isolation_level=None)) as file:
            file.execute("PRAGMA auto_vacuum=INCREMENTAL")
            file.execute("PRAGMA journal_mode=WAL")


def make_tenant() -> Tenant | None:
    """The tenant `default`; None where an admin has removed it in favour of others."""
    if not Tenant.objects.exists():
        return Tenant.objects.create(slug="default", name="Default")
    return Tenant.objects.filter(slug="default").first()


def make_admin(tenant: Tenant | None, say: Callable[[str], None]) -> None:
    """The first user, `admin`, where there is nobody yet. The password is said once."""
    if User.objects.exists():
        return
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        admin = User.objects.create_superuser("admin", password=password)
        User.objects.filter(pk=admin.pk).update(has_made_up_password=True)
        if tenant is not None:
            Membership.objects.of(tenant).create(user=admin, role=Role.ADMIN)
        # Said before it is kept: a password that nobody has seen would lock everybody out.
        say("The first admin, whose password is shown only now:")
        say("User: admin")
        say(f"Password: {password}")


def publish_environment(tenant: Tenant) -> None:
    """The environment of the bundled flows: where this installation lies."""
    environment, _ = Environment.objects.of(tenant).get_or_create(
        name=ENVIRONMENT, defaults={"tenant": tenant, "description": "Where this installation lies."}
    )
    own = {
        "DATA_DIR": str(settings.DATA_DIR),
        "CODE_DIR": str(settings.BASE_DIR),
        "MANAGE_PY": str(settings.BASE_DIR / "manage.py"),
    }
    known = environment.latest.variables if environment.latest else {}
    environment.publish({**known, **own}, by=SETUP)


def load_bundled(tenant: Tenant) -> None:
    """The bundled flows as they are in this release. One that was loaded before stays as somebody made it since."""
    for file in sorted(BUNDLED.glob("*.yaml")):
        source = file.read_text(encoding="utf-8")
        definition = parse(source, source=file.name)
        versions = FlowVersion.objects.of(tenant).filter(flow__slug=definition.id, digest=definition.digest)
        if not versions.exists():
            Flow.load(definition, tenant=tenant, by=SETUP, source=source)


@contextmanager
def _alone() -> Iterator[None]:
    """One process of this data folder at a time: two that start at once must not both migrate."""
    with (settings.DATA_DIR / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
