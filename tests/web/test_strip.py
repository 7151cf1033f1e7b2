"""Recent runs as bars: within the strip, the longest no higher than it, the newest at the right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.models import Run, Status
from runs_dashboard.web.strip import draw_strip

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(seconds: float | None, status: str = Status.SUCCEEDED) -> Run:
    ended = None if seconds is None else START + timedelta(seconds=seconds)
    begun = None if seconds is None else START
    return Run(uid="u", status=status, ordered_at=START, started_at=begun, finished_at=ended)


def test_height_is_the_duration_and_colour_the_state() -> None:
    strip = draw_strip([run(10), run(20, Status.FAILED)], places=4)
    assert [(bar.x, bar.height, bar.status) for bar in strip.bars] == [
        ("50.00%", "50.0%", "succeeded"),
        ("75.00%", "100.0%", "failed"),
    ]


def test_one_very_long_run_does_not_press_the_others_flat() -> None:
    strip = draw_strip([run(10), run(10_000)], places=2, usual_ms=10_000)
    assert [bar.height for bar in strip.bars] == ["25.0%", "100.0%"]
    assert strip.usual == "75.0%"


def test_runs_that_have_not_begun_are_seen() -> None:
    assert draw_strip([run(None, Status.QUEUED)], places=1).bars[0].height == "8.0%"


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e7)), max_size=60), st.one_of(st.none(), st.integers(1, 10**10)))
def test_no_bar_leaves_the_strip(seconds: list[float | None], usual: int | None) -> None:
    for bar in draw_strip([run(took) for took in seconds], places=60, usual_ms=usual).bars:
        assert 0 <= float(bar.x[:-1]) <= 100
        assert 0 < float(bar.height[:-1]) <= 100
        assert abs(float(bar.y[:-1]) + float(bar.height[:-1]) - 100) < 0.2
