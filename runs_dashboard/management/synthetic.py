"""The flows of a made-up company: what they are called, when they run, how they fail, what they print."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..definition.schema import Definition
from ..definition.yaml_source import from_json_data

if TYPE_CHECKING:
    from collections.abc import Mapping

# (level, text, upper bounds of the numbers in it)
Template = tuple[int, str, tuple[int, ...]]

# How busy each hour of the day is, from 0 to 23.
OFFICE = (1, 1, 1, 1, 1, 2, 6, 14, 30, 42, 45, 40, 32, 38, 42, 40, 34, 24, 14, 9, 7, 5, 3, 2)
NIGHT = (20, 40, 60, 30, 12, 4, *[0] * 16, 2, 8)
ALWAYS = (8,) * 24
SHOP = (6, 4, 3, 2, 2, 3, 6, 10, 14, 18, 20, 22, 24, 22, 20, 20, 22, 26, 32, 38, 36, 28, 18, 10)

PLAIN: tuple[Template, ...] = (
    (1, "INFO batch %d: %d records read", (400, 5_000)),
    (1, "INFO %d of %d records are unchanged", (900, 1_000)),
    (1, "INFO wrote part-%05d.parquet (%d kB)", (99_999, 9_000)),
    (0, "DEBUG cache hit for key item:%d after %d µs", (100_000, 900)),
    (1, "connected to db-%d.internal, %d ms", (9, 80)),
    (1, "INFO request %d answered 200 in %d ms", (1_000_000, 700)),
    (0, "DEBUG lock %d taken by worker %d", (5_000, 16)),
    (1, "INFO checkpoint %d kept", (10_000,)),
)
COLOURED: tuple[Template, ...] = (
    (1, "\x1b[32mPASSED\x1b[0m tests/test_cart.py::test_total[%d] \x1b[90m(%d ms)\x1b[0m", (400, 90)),
    (1, "\x1b[32mPASSED\x1b[0m tests/test_checkout.py::test_step_%d", (60,)),
    (1, "\x1b[33mSKIPPED\x1b[0m tests/test_legacy.py::test_%d (needs Java)", (80,)),
    (1, "\x1b[1;34m==>\x1b[0m building layer %d/%d", (12, 12)),
    (1, "downloading  %d%%\rdownloading 100%%  %d kB", (99, 9_000)),
)
CHATTY: tuple[Template, ...] = (
    (1, "INFO prompt of %d tokens, answer of %d tokens", (4_000, 900)),
    (1, "INFO tool search_orders(%d) gave %d results", (99_999, 20)),
    (0, "DEBUG retrieval score 0.%03d for passage %d", (999, 40_000)),
)
WARNINGS: tuple[Template, ...] = (
    (2, "WARNING slow answer from api-%d.partner.example: %d ms", (6, 9_000)),
    (2, "WARNING record %d has no postal code, kept as it is", (100_000,)),
    (2, "WARNING retrying request %d, attempt %d", (1_000_000, 3)),
    (2, "WARN  disk of node-%d is %d percent full", (30, 99)),
)
TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "/srv/jobs/main.py", line %d, in <module>',
    '  File "/srv/jobs/steps.py", line %d, in run',
)


@dataclass(frozen=True)
class Habit:
    """How one flow behaves. Seconds are medians, weights count against those of the other flows.

    Each error has two numbers to be filled in.
    """

    slug: str
    name: str
    steps: Mapping[str, float]
    errors: tuple[str, ...]
    hours: tuple[int, ...] = OFFICE
    weekend: float = 0.3
    weight: float = 1.0
    failing: float = 0.03
    triggers: Mapping[str, int] = field(default_factory=lambda: {"schedule": 1})
    grid: int = 1  # minutes: runs start on multiples of it
    schedule: str = ""
    team: str = "platform"
    lines: tuple[Template, ...] = PLAIN
    warning: float = 0.02
    volume: float = 1.0  # of lines
    is_about_orders: bool = False
    has_end_users: bool = False
    calls: str = ""  # the flow that its last step starts

    def definition(self) -> Definition:
        """A flow that really can be started: small programs that print what the history shows."""
        steps: list[dict[str, Any]] = []
        for name, seconds in self.steps.items():
            program = f"import time\nfor n in range(8):\n    print('INFO {name}: record', n, flush=True)\n"
            program += f"    time.sleep({min(seconds / 40, 0.5):.2f})"
            steps.append({"id": name, "component": "command", "with": {"run": ["python", "-c", program]}})
        if self.calls:
            steps[-1] = {
                "id": steps[-1]["id"],
                "component": "flow",
                "with": {"flow": self.calls},
                "retry": {"attempts": 1},
            }
        data: dict[str, Any] = {
            "id": self.slug,
            "name": self.name,
            "description": "Made by manage.py generate.",
            "tags": {"team": self.team},
            "environment": "production",
            "retry": {"attempts": 2, "backoff": 1},
            "steps": steps,
        }
        if self.schedule:
            data |= {"schedule": self.schedule, "timezone": "Europe/Berlin"}
        if self.is_about_orders:
            data["inputs"] = {"order_id": {"type": "string", "default": "10042"}, "customer": {"type": "string"}}
        return from_json_data(data)


NETWORK = "ConnectionError: db-%d.internal:5432 did not answer within %d s"
LIMITED = "HTTPError: 429 Too Many Requests from api-%d.partner.example, retry after %d s"
MEMORY = "MemoryError: could not allocate %d bytes for batch %d"
ORDER = "ValidationError: order %d: item %d has no price"

HABITS = (
    Habit(
        "order-import",
        "Order import",
        {"receive": 0.8, "validate": 1.5, "book": 3.0},
        (ORDER, NETWORK),
        hours=SHOP,
        weekend=1.1,
        weight=5,
        failing=0.025,
        triggers={"webhook": 8, "api": 2, "manual": 1},
        team="shop",
        is_about_orders=True,
    ),
    Habit(
        "nightly-orders",
        "Nightly order sync",
        {"extract": 90, "transform": 240, "load": 120, "publish": 30},
        (NETWORK, "IntegrityError: duplicate key %d in table orders_%d"),
        hours=NIGHT,
        weekend=1,
        weight=0.5,
        failing=0.05,
        grid=30,
        schedule="0 2 * * *",
        team="data",
        volume=3,
        calls="publish-orders",
    ),
    Habit(
        "publish-orders",
        "Publish orders",
        {"diff": 6, "push": 20},
        (LIMITED,),
        weight=0.1,
        triggers={"manual": 1},
        team="data",
    ),
    Habit(
        "invoice-mailer",
        "Invoice mailer",
        {"collect": 4, "render": 12, "send": 25},
        ("SMTPServerDisconnected: 421 mail-%d.internal closed after %d messages", NETWORK),
        weight=2,
        failing=0.02,
        grid=15,
        schedule="*/15 7-19 * * 1-5",
        team="finance",
        is_about_orders=True,
    ),
    Habit(
        "inventory-sync",
        "Inventory sync",
        {"fetch": 10, "reconcile": 30, "store": 8},
        (LIMITED, MEMORY),
        hours=ALWAYS,
        weekend=1,
        weight=2.5,
        grid=60,
        schedule="0 * * * *",
        team="warehouse",
        warning=0.08,
    ),
    Habit(
        "customer-import",
        "Customer import",
        {"upload": 5, "check": 40, "import": 120, "notify": 2},
        ("ValueError: row %d: %d is not a birth date", MEMORY),
        weight=1,
        failing=0.12,
        triggers={"manual": 5, "api": 1},
        team="sales",
        warning=0.15,
        volume=2,
    ),
    Habit(
        "web-tests",
        "Web shop: build and test",
        {"checkout": 6, "build": 80, "test": 200, "publish": 15},
        ("AssertionError: test_total[%d]: expected %d.00, got 0.00", "TimeoutError: page %d took more than %d s"),
        weight=3,
        failing=0.14,
        triggers={"webhook": 6, "manual": 1},
        team="web",
        lines=COLOURED,
        volume=2.5,
    ),
    Habit(
        "search-reindex",
        "Search reindex",
        {"snapshot": 60, "index": 900, "swap": 3},
        (MEMORY, NETWORK),
        hours=NIGHT,
        weekend=1,
        weight=0.4,
        grid=60,
        schedule="0 3 * * *",
        team="web",
        volume=2,
    ),
    Habit(
        "support-assistant",
        "Support assistant",
        {"understand": 1.2, "look-up": 0.9, "answer": 3.5},
        (
            "RateLimitError: model answered 529 to request %d after %d s",
            "KeyError: customer %d is not among the %d found",
        ),
        hours=SHOP,
        weekend=0.9,
        weight=4,
        failing=0.02,
        triggers={"api": 9, "webhook": 1},
        team="support",
        lines=CHATTY,
        volume=0.5,
        has_end_users=True,
    ),
    Habit(
        "image-resize",
        "Image resize",
        {"resize": 0.6},
        ("UnidentifiedImageError: cannot identify image file '/tmp/upload-%d/%d.jpg'",),
        hours=SHOP,
        weekend=1.2,
        weight=6,
        failing=0.01,
        triggers={"api": 1},
        team="web",
        volume=0.3,
    ),
    Habit(
        "price-update",
        "Price update",
        {"rates": 2, "prices": 15},
        (LIMITED,),
        grid=30,
        schedule="*/30 * * * *",
        weight=1.5,
        failing=0.04,
        team="shop",
    ),
    Habit(
        "data-export",
        "Personal data export",
        {"collect": 30, "redact": 12, "deliver": 4},
        ("PermissionError: [Errno 13] Permission denied: '/exports/%d/%d.zip'",),
        weight=0.4,
        failing=0.06,
        triggers={"manual": 3, "api": 1},
        team="legal",
        has_end_users=True,
    ),
)
REGIONS = ("eu", "us", "apac", "latam", "mea", "anz")


def choose_habits(count: int) -> list[Habit]:
    """The first `count` habits; beyond those that are written down, variants by region and number."""
    chosen = list(HABITS[:count])
    for number in range(count - len(chosen)):
        base = HABITS[number % len(HABITS)]
        turn, place = divmod(number // len(HABITS), len(REGIONS))
        region = REGIONS[place] + (f"-{turn + 1}" if turn else "")
        chosen.append(
            replace(
                base,
                slug=f"{base.slug}-{region}",
                name=f"{base.name} ({region.upper()})",
                calls=f"{base.calls}-{region}" if base.calls else "",
                weight=base.weight * 0.5,
            )
        )
    known = {habit.slug for habit in chosen}
    # Which flow is called may be one that was not asked for.
    return [habit if habit.calls in known else replace(habit, calls="") for habit in chosen]
