"""The table of the benchmarks: what it says of a goal, and where it is written."""

from pathlib import Path

import pytest

from .benchmarks.table import Row, format_number, render, write_into


@pytest.mark.parametrize(
    ("goal", "value", "reached"),
    [("≤ 4", 3.9, True), ("≤ 4", 4.1, False), ("≥ 50,000", 49_999, False), ("≥ 50", 50, True), ("", 7, None)],
)
def test_a_row_tells_whether_its_goal_is_reached(goal: str, value: float, reached: bool | None) -> None:
    assert Row("start", value, "s", goal).is_reached is reached


def test_a_goal_without_a_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with"):
        _ = Row("start", 1, "s", "about 4").is_reached


def test_a_missed_goal_stands_out_and_a_bar_does_not_break_the_table() -> None:
    table = render([Row("a|b", 12.345, "ms", "≤ 10", "twice")])

    assert table.splitlines()[2] == "| a\\|b | 12.3 ms | ≤ 10 ms | **no** | twice |"


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (4.567, "4.57"), (123.4, "123"), (45678.9, "45,679"), (7.0, "7")]
)
def test_a_number_has_three_figures_that_count(value: float, text: str) -> None:
    assert format_number(value) == text


BEGIN, END = "<!-- benchmarks-sqlite:begin -->\n", "<!-- benchmarks-sqlite:end -->\n"
OTHER = "<!-- benchmarks-postgres:begin -->\n<!-- benchmarks-postgres:end -->\n"


def test_a_whole_table_replaces_only_what_is_between_its_database_s_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}| old \\1 |\n{END}{OTHER}after\n")
    row = Row("new \\1", 1, "s")

    write_into(readme, [row], "sqlite", is_whole=True)

    assert readme.read_text() == f"before\n{BEGIN}{render([row])}{END}{OTHER}after\n"


def test_some_rows_replace_those_of_the_same_measure_and_new_ones_come_last(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}{render([Row('a|b', 1, 's'), Row('stays', 2, 's')])}{END}")

    write_into(readme, [Row("new", 4, "s"), Row("a|b", 3, "s")], "sqlite", is_whole=False)

    assert readme.read_text() == f"{BEGIN}{render([Row('a|b', 3, 's'), Row('stays', 2, 's'), Row('new', 4, 's')])}{END}"


@pytest.mark.parametrize("text", ["no marks", f"{BEGIN}{END}{BEGIN}{END}", OTHER])
def test_a_file_without_exactly_one_pair_of_the_marks_is_left_alone(tmp_path: Path, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)

    with pytest.raises(ValueError, match="once"):
        write_into(readme, [Row("new", 1, "s")], "sqlite", is_whole=True)
    assert readme.read_text() == text
