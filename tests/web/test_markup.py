"""HTML that is filled in by Python: as Django's own filling, every value of it escaped."""

from __future__ import annotations

import pytest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from hypothesis import given
from hypothesis import strategies as st

from runs_dashboard.web.markup import fill, join

HOSTILE = """<script>alert('x')</script>&"{}"""


@given(st.lists(st.one_of(st.text(), st.integers(), st.floats(), st.none()), min_size=1, max_size=4))
def test_values_are_escaped_as_django_does(values: list[object]) -> None:
    template = "<i>{}</i>" * len(values)
    assert fill(template, *values) == format_html(template, *values)


def test_html_stays_and_text_does_not_become_it() -> None:
    inner = fill("<b>{}</b>", HOSTILE)
    assert isinstance(inner, SafeString)
    assert "<script" not in inner
    assert "&lt;script&gt;" in inner
    assert fill("<p>{}</p>", inner) == f"<p>{inner}</p>"
    assert fill("<p>{}</p>", str(inner) + "") == format_html("<p>{}</p>", str(inner) + "")


def test_what_is_joined_must_be_html() -> None:
    assert join([fill("<i>{}</i>", 1), mark_safe("<hr>")]) == "<i>1</i><hr>"
    assert isinstance(join([]), SafeString)
    with pytest.raises(TypeError):
        join([fill("{}", 1), HOSTILE])  # type: ignore[list-item]
