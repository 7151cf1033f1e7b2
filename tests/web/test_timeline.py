"""The steps' geometry: always within the axis, whatever the clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.models import Status, Step
from runs_dashboard.web.timeline import SHOWN_ROWS, StepGroup, draw

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else START + timedelta(seconds=seconds)


def run(ended: float | None = 100, steps: tuple[str, ...] = ()) -> Any:
    specs = [{"id": slug, "component": "command"} for slug in steps]
    version = SimpleNamespace(definition={"steps": specs})
    return SimpleNamespace(started_at=START, finished_at=at(ended), version=version)


def step(slug: str, began: float | None, ended: float | None, *, attempt: int = 1, status: str = "succeeded") -> Step:
    return Step(
        slug=slug,
        attempt=attempt,
        status=status,
        created_at=at(began or 0),
        started_at=at(began),
        finished_at=at(ended),
    )


def test_bars_stand_where_their_time_is() -> None:
    timeline = draw(run(steps=("a", "b", "c")), [step("a", 0, 25), step("b", 25, 75)])
    assert [(bar.x, bar.width) for bar in timeline.rows[0].bars] == [("0.00%", "25.00%")]
    assert [(bar.x, bar.width) for bar in timeline.rows[1].bars] == [("25.00%", "50.00%")]
    assert not timeline.rows[2].has_run
    assert (timeline.total, timeline.done) == (3, 2)
    assert timeline.rows[1].took_ms == 50_000


def test_attempts_stand_apart_and_only_the_last_failure_is_solid() -> None:
    tries = [
        step("a", 0, 20, status="failed"),
        step("a", 40, 60, attempt=2, status="failed"),
        step("a", 80, 100, attempt=3, status="failed"),
    ]
    (line,) = draw(run(steps=("a",)), tries).rows
    assert [bar.kind for bar in line.bars] == ["b p", "b p", "b f"]
    assert [(gap.x1, gap.x2) for gap in line.gaps] == [("20.00%", "40.00%"), ("60.00%", "80.00%")]
    assert (line.attempts, line.took_ms) == (3, 60_000)


def make_many(count: int) -> list[Step]:
    many = [step(f"s{n}", n / 10, n / 10 + (9 if n == 70 else 0.1)) for n in range(count - 1)]
    return [*many, step("last", 99, 100, status="failed")]


@pytest.mark.parametrize("count", [49, 60, 500, 5_000])
def test_of_very_many_steps_the_failed_come_first_and_the_slow_stand_alone(count: int) -> None:
    timeline = draw(run(), make_many(count))
    assert len(timeline.rows) <= SHOWN_ROWS
    alone = [row.slug for row in timeline.rows if not isinstance(row, StepGroup)]
    assert alone[0] == "last"
    if count > 70:
        assert "s70" in alone
    groups = [row for row in timeline.rows if isinstance(row, StepGroup)]
    assert len(alone) + sum(group.count for group in groups) == count, "every step is in one row"


@pytest.mark.parametrize("count", [500, 2_000])
def test_every_step_can_be_reached_by_opening_groups(count: int) -> None:
    many = make_many(count)
    seen: set[str] = set()
    todo = [""]
    opened = 0
    while todo:
        part = todo.pop()
        opened += 1
        timeline = draw(run(), many, part=part)
        assert len(timeline.rows) <= SHOWN_ROWS
        for row in timeline.rows:
            if isinstance(row, StepGroup):
                assert row.query != part
                todo.append(row.query)
            else:
                seen.add(row.slug)
    assert seen == {one.slug for one in many}


def test_a_step_is_found_by_a_part_of_its_name() -> None:
    timeline = draw(run(), make_many(5_000), name=" S123 ")
    assert [row.slug for row in timeline.rows if not row.is_group][:2] == ["s123", "s1230"]
    assert (timeline.found, timeline.more) == (11, 0)
    assert draw(run(), make_many(5_000), name="s").more == 4_999 - SHOWN_ROWS + 1


@pytest.mark.parametrize("part", ["x", "1-", "-1", "9-2", "0-0", "1-99999999", "²-³", "600-700"])
def test_a_range_that_is_none_shows_all(part: str) -> None:
    assert draw(run(), make_many(500), part=part).found == 500


def test_all_of_many_failures_is_not_drawn_and_is_counted() -> None:
    many = [step(f"s{n}", n, n + 1, status="failed") for n in range(1_000)]
    timeline = draw(run(ended=1_000), many)
    assert len(timeline.rows) <= SHOWN_ROWS
    assert timeline.failed == 1_000
    names = [row.slug for row in timeline.rows if not isinstance(row, StepGroup)]
    assert (names[0], names[-1]) == ("s0", "s999"), "the first ones, and where it ended"
    assert sum(row.failed for row in timeline.rows if isinstance(row, StepGroup)) == 1_000 - len(names)


def test_of_very_many_attempts_the_last_ones_are_drawn() -> None:
    tries = [step("a", n, n + 0.5, attempt=n + 1, status="failed") for n in range(100)]
    (row,) = draw(run(steps=("a",)), tries).rows
    assert not isinstance(row, StepGroup)
    assert [bar.attempt for bar in row.bars] == list(range(93, 101))


def test_the_usual_duration_is_a_tick_where_it_lies_on_the_axis() -> None:
    timeline = draw(run(), [step("a", 10, 20), step("b", 20, 100)], usual={"a": 20_000, "b": 500_000})
    assert [row.usual_x for row in timeline.rows if not isinstance(row, StepGroup)] == ["30.00%", ""]
    assert timeline.has_usual


def test_a_run_that_has_not_begun_has_steps_and_no_axis() -> None:
    waiting = run(steps=("a",))
    waiting.started_at = None
    timeline = draw(waiting, [])
    assert timeline.marks == []
    assert timeline.rows[0].picture == "s-skipped"


moments = st.one_of(st.none(), st.floats(-1e6, 1e6))


@given(
    st.one_of(st.none(), st.floats(0, 1e6)),
    st.lists(st.tuples(st.sampled_from("abc"), moments, moments, st.sampled_from(Status.values)), max_size=12),
)
def test_no_bar_leaves_the_axis(ended: float | None, found: list[tuple[str, Any, Any, str]]) -> None:
    steps = [step(slug, began, over, attempt=n, status=status) for n, (slug, began, over, status) in enumerate(found)]
    for line in draw(run(ended), steps).rows:
        for bar in line.bars:
            x, width = float(bar.x[:-1]), float(bar.width[:-1])
            assert x >= -0.01
            assert width > 0
            assert x + width <= 100.01
        assert line.took_ms is None or line.took_ms >= 0
