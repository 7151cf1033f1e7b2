"""The typed query of the run list: what it asks for, how it is written back, and what is said of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_dashboard.text.run_query import NAMES, QUALIFIERS, parse, tidy, write

ASKED = [
    ("", []),
    ("status:failed flow:orders", [("status", "failed"), ("flow", "orders")]),
    ("status:failed,Stopped status:failed", [("status", "failed,stopped")]),
    ("status=failed", [("status", "failed")]),
    ("tag:team=blue tag:shop", [("tag", "team:blue"), ("tag", "shop")]),
    ("order_id:4711", [("tracked", "order_id:4711")]),
    ("order_id=4711", [("tracked", "order_id:4711")]),
    ("tracked:order_id=4711", [("tracked", "order_id:4711")]),
    ('customer:"Anna B."', [("tracked", "customer:Anna B.")]),
    ("by:ada env:prod", [("user", "ada"), ("environment", "prod")]),
    ("-status:succeeded -order_id:1", [("not_status", "succeeded"), ("not_tracked", "order_id:1")]),
    ("started:>2h", [("started_after", "2h")]),
    ("started:2h", [("started_after", "2h")]),
    ("started:<7d", [("started_before", "7d")]),
    ("started:2026-11-22", [("started_on", "2026-11-22")]),
    ("started:2026-11-20..2026-11-22", [("started_after", "2026-11-20"), ("started_before", "2026-11-23")]),
    ("started:2026-11-20..*", [("started_after", "2026-11-20")]),
    ("duration:>5m", [("duration_over", "5m")]),
    ("duration:1m..5m", [("duration_over", "1m"), ("duration_under", "5m")]),
    ("reviewed:no -retried:yes warnings:TRUE", [("has_warnings", "true"), ("reviewed", "false"), ("retried", "false")]),
    ("level:error", [("level", "error")]),
    ("component:http=failed", [("component", "http=failed")]),
    ("component:aws:s3", [("component", "aws:s3")]),
    ("boom 4711", [("search", "boom 4711")]),
    ('"status:failed"', [("search", "status:failed")]),
    ("https://shop.example/a:b", [("search", "https://shop.example/a:b")]),
    ("flow:orders boom", [("flow", "orders"), ("search", "boom")]),
]


@pytest.mark.parametrize(("query", "pairs"), ASKED)
def test_a_query_asks_for_these(query: str, pairs: list[tuple[str, str]]) -> None:
    asked = parse(query)
    assert (asked.pairs, asked.problems) == (pairs, [])
    assert parse(write(pairs)).pairs == pairs


@pytest.mark.parametrize(
    ("pairs", "query"),
    [
        ([("started_after", "2026-11-20"), ("started_before", "2026-11-23")], "started:2026-11-20..2026-11-22"),
        ([("duration_over", "1m"), ("duration_under", "5m")], "duration:1m..5m"),
        ([("tracked", "order_id=4711"), ("flow", "orders")], "flow:orders order_id:4711"),
        ([("tracked", "status:new")], "tracked:status=new"),
        ([("tag", "team:light blue")], 'tag:"team=light blue"'),
        ([("search", "a:b")], '"a:b"'),
        ([("search", 'say "no"')], '"say \\"no\\""'),
        ([("reviewed", "false")], "reviewed:no"),
        ([("not_flow", "a, b,a")], "-flow:a,b"),
        ([("nothing", "x"), ("status", "  ")], ""),
    ],
)
def test_an_address_is_written_as_one_types(pairs: list[tuple[str, str]], query: str) -> None:
    assert write(pairs) == query
    assert parse(query).pairs == tidy(pairs)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("statsu:failed", "did you mean status:?"),
        ("flows=orders", "did you mean flow:?"),
        ("flow:", "flow:nightly-orders"),
        ("nothing:", "The filters are status:"),
        ("reviewed:perhaps", "yes or no"),
        ("-started:2h", "cannot be negated"),
        ("-parent:x", "cannot be negated"),
        ("started:..", "from..to"),
        ("started:1..2..3", "from..to"),
        ("started:>", "no value"),
        ("env:a env:b", "asked for twice"),
    ],
)
def test_a_mistake_is_a_sentence(query: str, said: str) -> None:
    problems = parse(query).problems
    assert len(problems) == 1
    assert said in problems[0]


def test_a_slip_of_the_pen_lists_every_filter_and_the_way_round() -> None:
    (said,) = parse("statsu:new").problems
    assert all(f"{one.word}:" in said for one in QUALIFIERS)
    assert "tracked:statsu=new" in said


WORDS = [*(one.word for one in QUALIFIERS), "order_id", "-status", "Ünï", ""]
SIGNS = [
    "",
    ":",
    "=",
    " ",
    '"',
    "\\",
    "-",
    "..",
    ">",
    "<",
    ",",
    "//",
    "2h",
    "2026-11-22",
    "9999-12-31",
    "yes",
    "\x1c",
    "a",
]
queries = st.one_of(
    st.text(),
    st.lists(st.sampled_from(WORDS + SIGNS)).map("".join),
    st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(":="), st.sampled_from(SIGNS), st.text(max_size=4))).map(
        lambda parts: " ".join("".join(part) for part in parts)
    ),
)


@given(queries)
@settings(max_examples=200)
def test_what_was_read_is_written_so_that_it_is_read_again(query: str) -> None:
    pairs = parse(query).pairs
    again = parse(write(pairs))
    assert again.pairs == pairs
    assert again.problems == []
    assert write(again.pairs) == write(pairs)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=12))))
def test_any_address_can_be_written(pairs: list[tuple[str, str]]) -> None:
    assert tidy(tidy(pairs)) == tidy(pairs)
    write(pairs)
