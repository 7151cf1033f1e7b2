"""A run that an engine of its own reports: a test writes its log and ends it."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection
from django.test import Client

from runs_dashboard.models import Flow, Run, Status, Tenant, append, move
from runs_dashboard.text.intake import Line
from tests.models.runs import ENGINE


@dataclass
class Reported:
    """Its run, and the addresses of its streams."""

    run: Run

    @classmethod
    def make(cls, tenant: Tenant) -> "Reported":
        flow = Flow.named("reported", tenant=tenant, by=ENGINE)
        return cls(flow.start({}, trigger="external", by=ENGINE))

    @property
    def page_path(self) -> str:
        return f"/runs/{self.run.uid}/log/stream"

    @property
    def api_path(self) -> str:
        return f"/api/v1/flow-runs/{self.run.uid}/flow-run-logs/stream"

    def say(self, *messages: str, level: int = 1) -> int:
        """Appends a line for each message; returns the number of the last."""
        return append(self.run, [Line(message, level, "stdout", 1_700_000_000.25) for message in messages])

    def say_many(self, count: int, *, batch: int = 2_000, text: str = "line") -> int:
        for start in range(0, count, batch):
            self.say(*(f"{text} {start + place}" for place in range(min(batch, count - start))))
        return self.run.line_count

    def end(self, status: Status = Status.SUCCEEDED) -> None:
        move(self.run, status, by=ENGINE)


def in_thread(work: Callable[[], object]) -> None:
    """Calls it for asyncio.to_thread: the thread lets go of its database connection."""
    try:
        work()
    finally:
        connection.close()


def cookie_of(client: Client) -> dict[str, str]:
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
