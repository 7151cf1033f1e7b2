"""Jumps in a log: what may be written into "Go to", where it leads, with scripts and without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from runs_dashboard.models import Run, Status, Step, append
from runs_dashboard.text.intake import Line

from ..models.runs import claim, make_flow, make_run
from .reading import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

START = datetime(2026, 3, 1, 22, 59, 50, tzinfo=UTC)  # 23:59:50 in Berlin
LINES = 1300


@pytest.fixture
def client(client_of: Callable[[User], Client], oli: User) -> Client:
    oli.time_zone = "Europe/Berlin"
    oli.save()
    return client_of(oli)


@pytest.fixture
def run(tenant: Tenant) -> Run:
    """1,300 lines, a second apart, over midnight; 700 and 701 are errors, 1,000 is a warning."""
    run = make_run(make_flow(tenant), Status.RUNNING)
    Run.across_tenants.filter(pk=run.pk).update(started_at=START)
    write(run, LINES, levels={700: 3, 701: 4, 1000: 2})
    run.refresh_from_db()
    return run


def write(run: Run, count: int, *, levels: dict[int, int], step: Step | None = None, stream: str = "stdout") -> None:
    lines = [
        Line(
            message=f"line {number}",
            level=levels.get(number, 1),
            stream=stream,
            at=(START + timedelta(seconds=number)).timestamp(),
        )
        for number in range(1, count + 1)
    ]
    append(run, lines, step=step, token=run.token)


def go(client: Client, run: Run, to: str, **params: Any) -> tuple[int | None, str]:
    answer = client.get(f"/runs/{run.uid}/log/go/", {"to": to, **params}, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    told = answer.json()
    return told["line"], told["said"]


@pytest.mark.parametrize(
    ("to", "line"),
    [
        ("1,204", 1204),
        ("1204", 1204),
        ("L12", 12),
        ("#L12", 12),
        ("line 12", 12),
        ("50%", 650),
        ("0%", 1),
        ("100 %", 1300),
        ("999%", 1300),
        ("+0:30", 30),
        ("+1:00", 60),
        ("+0:10:00", 600),
        ("+90", 90),
        ("00:00:00", 10),
        ("0:05", 310),
        ("23:59", 1),
        ("23:59:55", 5),
        ("2026-03-02", 10),
        ("2026-03-02 00:10", 610),
        ("2026-03-01T23:10:00Z", 610),
        ("2026-03-02T00:10:00+01:00", 610),
        ("start", 1),
        ("end", 1300),
        ("error", 700),
        ("next error", 700),
        ("warning", 1000),
        ("previous error", 701),
    ],
)
def test_a_place_is_written_in_many_ways(client: Client, run: Run, to: str, line: int) -> None:
    assert go(client, run, to) == (line, "")


@pytest.mark.parametrize(
    "to",
    [
        "",
        "x",
        "-1",
        "1e9",
        "%",
        "nan%",
        "٣",
        "25:00",
        "12:60",
        "2026-02-30",
        "2026-13-01",
        "+",
        "9" * 60,
        "\0",
        "0001-01-01",
        "9999-12-31T23:59:59-23:59",
        "+99999999:999999:99999999",
    ],
)
def test_nonsense_moves_nobody_and_is_told(client: Client, run: Run, to: str) -> None:
    line, said = go(client, run, to)
    assert said
    assert line in (None, LINES)


def test_a_line_that_there_is_not_is_told(client: Client, run: Run) -> None:
    assert go(client, run, "1301") == (None, "There is no line 1,301: the log has lines 1 to 1,300.")
    assert go(client, run, "0") == (None, "There is no line 0: the log has lines 1 to 1,300.")
    assert go(client, run, "2026-03-05") == (1300, "The log ends before that time.")


def test_from_error_to_error_and_past_the_last(client: Client, run: Run) -> None:
    assert go(client, run, "next error", here=700)[0] == 701
    assert go(client, run, "previous error", here=701)[0] == 700
    assert go(client, run, "next error", here=701) == (None, "There is no error after line 701.")
    assert go(client, run, "previous warning", here=700) == (None, "There is no warning before line 700.")
    assert go(client, run, "next warning", level="error") == (None, "This view leaves warnings out.")


def test_a_jump_stays_in_the_part_that_is_shown(client: Client, tenant: Tenant) -> None:
    flow = make_flow(tenant)
    run = claim(make_run(flow))
    steps = [Step.begin(run, spec, position=place, attempt=1) for place, spec in enumerate(flow.definition.steps)]
    write(run, 10, levels={3: 3}, step=steps[0])
    write(run, 10, levels={8: 3}, step=steps[1], stream="stderr")
    assert go(client, run, "5", step="load") == (
        11,
        "Line 5 is not in this view; this is the nearest one after it.",
    )
    assert go(client, run, "next error", step="load")[0] == 18
    assert go(client, run, "end", step="fetch")[0] == 10
    assert go(client, run, "start", stream="stderr")[0] == 11
    assert go(client, run, "start", step="load", attempt=2) == (None, "No line near there is in this view.")


def test_a_form_without_scripts_is_led_to_the_page_of_the_place(client: Client, run: Run) -> None:
    answer = client.get(f"/runs/{run.uid}/log/go/", {"to": "700", "find": "a b", "level": "info"})
    assert answer["Location"] == f"/runs/{run.uid}/?level=info&find=a+b&from=680&here=700#L700"
    page = Page(client.get(answer["Location"]))
    assert page.one("input", name="here").attrs["value"] == "700"
    assert "level=info&amp;find=a+b&amp;before=680" in page.source
    refused = client.get(f"/runs/{run.uid}/log/go/", {"to": "x", "here": "700"}, follow=True)
    assert "Write a line" in refused.content.decode()
    assert next(iter(Page(refused).lines())) == 680


def test_an_empty_log_has_no_places(client: Client, tenant: Tenant) -> None:
    run = make_run(make_flow(tenant), Status.RUNNING)
    assert go(client, run, "50%") == (None, "The log has no line yet.")
    assert client.get(f"/runs/{run.uid}/log/marks/").json() == {"line_count": 0, "marks": []}


def test_the_ruler_is_told_the_marks(client: Client, run: Run) -> None:
    assert client.get(f"/runs/{run.uid}/log/marks/").json() == {
        "line_count": 1300,
        "marks": [[1000, 1000, 2], [700, 701, 3]],
    }


@pytest.mark.parametrize("tail", ["log/go/", "log/marks/"])
def test_another_tenants_log_is_as_one_that_does_not_exist(
    client_of: Callable[[User], Client], run: Run, eve: User, tail: str
) -> None:
    assert client_of(eve).get(f"/runs/{run.uid}/{tail}").status_code == 404
