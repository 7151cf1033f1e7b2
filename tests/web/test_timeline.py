"""The steps' geometry: always within the axis, whatever the clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.models import Status, Step
from runs_dashboard.web.timeline import SHOWN_STEPS, draw

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
    assert [(bar.x, bar.width) for bar in timeline.lines[0].bars] == [("0.00%", "25.00%")]
    assert [(bar.x, bar.width) for bar in timeline.lines[1].bars] == [("25.00%", "50.00%")]
    assert not timeline.lines[2].has_run
    assert (timeline.total, timeline.done) == (3, 2)
    assert timeline.lines[1].took_ms == 50_000


def test_attempts_stand_apart_and_only_the_last_failure_is_solid() -> None:
    tries = [
        step("a", 0, 20, status="failed"),
        step("a", 40, 60, attempt=2, status="failed"),
        step("a", 80, 100, attempt=3, status="failed"),
    ]
    (line,) = draw(run(steps=("a",)), tries).lines
    assert [bar.kind for bar in line.bars] == ["b p", "b p", "b f"]
    assert [(gap.x1, gap.x2) for gap in line.gaps] == [("20.00%", "40.00%"), ("60.00%", "80.00%")]
    assert (line.attempts, line.took_ms) == (3, 60_000)


def test_of_very_many_steps_the_failed_and_the_slow_are_drawn_in_their_order() -> None:
    many = [step(f"s{n}", n / 10, n / 10 + (9 if n == 700 else 0.1)) for n in range(999)]
    many.append(step("last", 99, 100, status="failed"))
    timeline = draw(run(), many)
    names = [line.slug for line in timeline.lines]
    assert {"s700", "last"} <= set(names)
    assert len(names) <= SHOWN_STEPS
    assert timeline.hidden == 1000 - len(names)
    assert names == sorted(names, key=[s.slug for s in many].index)
    assert len(draw(run(), many, is_whole=True).lines) == 1000


def test_a_run_that_has_not_begun_has_steps_and_no_axis() -> None:
    waiting = run(steps=("a",))
    waiting.started_at = None
    timeline = draw(waiting, [])
    assert timeline.marks == []
    assert timeline.lines[0].picture == "s-skipped"


moments = st.one_of(st.none(), st.floats(-1e6, 1e6))


@given(
    st.one_of(st.none(), st.floats(0, 1e6)),
    st.lists(st.tuples(st.sampled_from("abc"), moments, moments, st.sampled_from(Status.values)), max_size=12),
)
def test_no_bar_leaves_the_axis(ended: float | None, found: list[tuple[str, Any, Any, str]]) -> None:
    steps = [step(slug, began, over, attempt=n, status=status) for n, (slug, began, over, status) in enumerate(found)]
    for line in draw(run(ended), steps).lines:
        for bar in line.bars:
            x, width = float(bar.x[:-1]), float(bar.width[:-1])
            assert x >= -0.01
            assert width > 0
            assert x + width <= 100.01
        assert line.took_ms is None or line.took_ms >= 0
