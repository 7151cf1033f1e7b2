"""The made-up company that a generated history belongs to: people, environments, flows."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from django.db import transaction
from django.utils import timezone

from ..definition.schema import Definition
from ..models import (
    ApiKey,
    EndUser,
    Environment,
    Flow,
    FlowVersion,
    Machine,
    Membership,
    Role,
    Tenant,
    User,
)
from .history_plan import DAY_MS
from .synthetic import Habit, choose_habits

GENERATOR = Machine(name="generate")
PEOPLE = (
    ("mara", "Mara", "Lindqvist", Role.OPERATOR),
    ("jonas", "Jonas", "Weber", Role.OPERATOR),
    ("priya", "Priya", "Raman", Role.ADMIN),
    ("tomas", "Tomás", "Ortega", Role.SUPPORT),
    ("aiko", "Aiko", "Mori", Role.OPERATOR),
    ("dele", "Dele", "Okafor", Role.VIEWER),
)
END_USERS = 300


@dataclass
class Company:
    """What runs refer to. Times are Unix milliseconds."""

    tenant: Tenant
    habits: list[Habit]
    flows: list[Flow]
    versions: list[FlowVersion]
    definitions: list[Definition]
    users: list[User]
    key: ApiKey
    environments: tuple[int, int]  # the versions of production and staging
    end_users: list[int]
    start: int
    end: int


def found_company(tenant: Tenant, *, flows: int, days: int, seed: int) -> Company:
    """Makes what is missing of the company. Its period ends at the last midnight (UTC), so that it is over."""
    habits = choose_habits(flows)
    end = int(timezone.now().timestamp() * 1000) // DAY_MS * DAY_MS
    with transaction.atomic():
        users = [_make_user(tenant, *person) for person in PEOPLE]
        environments = tuple(
            _make_environment(tenant, name, address)
            for name, address in (("production", "https://shop.example"), ("staging", "https://staging.shop.example"))
        )
        loaded = []
        for habit in habits:
            flow, _ = Flow.load(habit.definition(), tenant=tenant, by=GENERATOR)
            if habit.schedule:
                flow.pause_schedule(by=GENERATOR)  # a history, not a load that goes on
            loaded.append(flow)
        return Company(
            tenant=tenant,
            habits=habits,
            flows=loaded,
            versions=[flow.latest for flow in loaded if flow.latest is not None],
            definitions=[habit.definition() for habit in habits],
            users=[user for user, person in zip(users, PEOPLE, strict=True) if person[3].covers(Role.OPERATOR)],
            key=_make_key(tenant, users[0]),
            environments=environments,  # type: ignore[arg-type]
            end_users=_make_end_users(tenant, seed),
            start=end - days * DAY_MS,
            end=end,
        )


def _make_user(tenant: Tenant, name: str, first: str, last: str, role: Role) -> User:
    user, is_new = User.objects.get_or_create(username=name, defaults={"first_name": first, "last_name": last})
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    Membership.objects.of(tenant).get_or_create(user=user, defaults={"tenant": tenant, "role": role})
    return user


def _make_environment(tenant: Tenant, name: str, address: str) -> int:
    environment, _ = Environment.objects.of(tenant).get_or_create(name=name, defaults={"tenant": tenant})
    if environment.latest is None:
        environment.publish({"SHOP_URL": address, "LOCALE": "en_GB"}, by=GENERATOR)
    return environment.latest.pk  # type: ignore[union-attr]


def _make_key(tenant: Tenant, user: User) -> ApiKey:
    """A key that runs were started by; it opens nothing, since nobody ever had its secret."""
    known = ApiKey.objects.of(tenant).filter(user=user, name="ci").first()
    if known is not None:
        return known
    key, _ = ApiKey.make(user=user, tenant=tenant, role=Role.OPERATOR, by=GENERATOR, name="ci")
    key.revoke(by=GENERATOR)
    return key


def _make_end_users(tenant: Tenant, seed: int) -> list[int]:
    random = Random(seed)  # noqa: S311
    rows = EndUser.objects.of(tenant)
    for number in range(END_USERS):
        kind = random.choice(("browser_user", "service_api"))
        session = f"session-{random.getrandbits(40):010x}"
        is_anonymous = number % 4 == 0
        rows.get_or_create(type=kind, session_id=session, defaults={"tenant": tenant, "is_anonymous": is_anonymous})
    return list(rows.order_by("id").values_list("pk", flat=True)[:END_USERS])
