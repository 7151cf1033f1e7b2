"""Find in one log: for the script in pieces, as JSON; without scripts as a form that leads from hit to hit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from runs_dashboard.models import FindPage, Status, Step
from runs_dashboard.web.views import find as view

from ..models.runs import make_flow, make_run
from .making import write_log
from .reading import Page
from .test_hostile_text import EVIL
from .test_query_budgets import capture, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Run, Tenant, User

__all__ = ["capture"]
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"  # what a browser says


@pytest.fixture
def client(client_of: Callable[[User], Client], vic: User) -> Client:
    return client_of(vic)


@pytest.fixture
def run(tenant: Tenant) -> Run:
    """1,300 lines: each hundredth holds `needle`, the 1,250th `Needle's`."""
    run = make_run(make_flow(tenant), Status.RUNNING)
    lines = [f"needle {n}" if n % 100 == 0 else f"line {n}" for n in range(1, 1301)]
    lines[1249] = "the Needle's eye"
    write_log(run, lines)
    return run


def ask(client: Client, run: Run, **asked: Any) -> dict[str, Any]:
    response = client.get(f"/runs/{run.uid}/find/", asked, headers={"Accept": "application/json"})
    assert response.status_code == 200, response.content
    return response.json()


def lead(client: Client, run: Run, **asked: Any) -> str:
    response = client.get(f"/runs/{run.uid}/find/", asked, headers={"Accept": HTML})
    assert response.status_code == 302
    return response.url


def test_the_next_and_the_previous_hit_are_told(client: Client, run: Run) -> None:
    assert ask(client, run, text="needle")["line"] == 100
    assert ask(client, run, text="needle", after=100)["line"] == 200
    assert ask(client, run, text="needle", before=1300)["line"] == 1250
    assert ask(client, run, text="needle", before=1250)["line"] == 1200
    last = ask(client, run, text="needle", after=1300)
    assert (last["line"], last["is_complete"], last["searched_to"], last["line_count"]) == (None, True, 1300, 1300)


def test_the_count_is_the_true_one_and_that_of_the_hits_before_a_line_is_its_place(client: Client, run: Run) -> None:
    whole = ask(client, run, text="needle", count=1)
    assert (whole["line"], whole["count"], whole["is_complete"]) == (100, 14, True)
    assert ask(client, run, text="needle", count=1, after=0, before=301)["count"] == 3


def test_case_whole_words_and_exclusion_are_heeded(client: Client, run: Run) -> None:
    assert ask(client, run, text="Needle", count=1, case=1)["count"] == 1
    assert ask(client, run, text="need", count=1, word=1)["count"] == 0
    assert ask(client, run, text="needle", count=1, word=1)["count"] == 14
    assert ask(client, run, text="needle", count=1, exclude="eye")["count"] == 13


def test_a_step_and_a_level_narrow_it(client: Client, run: Run) -> None:
    step = Step.begin(run, run.version.parsed.steps[0], position=0, attempt=1)
    write_log(run, ["needle in a step"], level=3, step=step)
    assert ask(client, run, text="needle", step=step.slug)["line"] == 1301
    assert ask(client, run, text="needle", level="warning", count=1)["count"] == 1
    assert ask(client, run, text="needle", step="nowhere")["line"] is None


def test_quotes_and_markup_are_found_as_they_stand(client: Client, run: Run) -> None:
    write_log(run, [EVIL, 'say "hello"', "it's 100 % _x_"])
    for text, line in ((EVIL, 1301), ('"hello"', 1302), ("'s 100 % _", 1303), ("%", 1301), ("needle's", 1250)):
        assert ask(client, run, text=text)["line"] == line, text


def test_no_text_is_told(client: Client, run: Run) -> None:
    response = client.get(f"/runs/{run.uid}/find/", headers={"Accept": "application/json"})
    assert response.status_code == 400
    assert response.json() == {"error": "Say what to look for."}


@pytest.mark.parametrize("text", ["\x00", "\ud800", "%", "x" * 5000, "\x1b[31m", "-1", "9" * 40])
@pytest.mark.parametrize("name", ["text", "exclude", "after", "before", "at", "step", "level", "case", "count", "back"])
@pytest.mark.parametrize("accept", ["application/json", HTML])
def test_no_value_breaks_it(client: Client, run: Run, name: str, text: str, accept: str) -> None:
    asked = {"text": "needle", name: text.encode("utf-8", "surrogatepass")}
    assert client.get(f"/runs/{run.uid}/find/", asked, headers={"Accept": accept}).status_code in (200, 302)


def test_eve_finds_nothing_in_anothers_run(client_of: Callable[[User], Client], run: Run, eve: User) -> None:
    for accept in ("application/json", HTML):
        response = client_of(eve).get(f"/runs/{run.uid}/find/?text=needle", headers={"Accept": accept})
        assert response.status_code == 404


def test_without_scripts_the_form_leads_to_the_window_of_the_first_hit_and_on(client: Client, run: Run) -> None:
    form = Page(client.get(f"/runs/{run.uid}/")).one("form", id="find")
    assert form.attrs["action"] == f"/runs/{run.uid}/find/"
    address = lead(client, run, text="needle", at=0)
    assert urlsplit(address).fragment == "L100"
    page = Page(client.get(address))
    assert page.by_id("L100") is not None
    assert page.one("input", name="text").attrs["value"] == "needle"
    at = page.one("input", name="at").attrs["value"]
    assert at == "100", "the form goes on from here"
    assert urlsplit(lead(client, run, text="needle", at=at)).fragment == "L200"
    assert urlsplit(lead(client, run, text="needle", at=200, back=1)).fragment == "L100"


def test_past_the_last_hit_comes_the_first_and_before_the_first_the_last(client: Client, run: Run) -> None:
    assert urlsplit(lead(client, run, text="needle", at=1300)).fragment == "L100"
    assert urlsplit(lead(client, run, text="needle", at=100, back=1)).fragment == "L1300"
    assert urlsplit(lead(client, run, text="eye", at=1250)).fragment == "L1250"


def test_the_address_keeps_how_it_is_looked_for(client: Client, run: Run) -> None:
    address = lead(client, run, text='"a&b"', case=1, word=1, exclude="x y", level="error", step="load")
    kept = parse_qs(urlsplit(address).query)
    expected = {
        "find": '"a&b"',
        "case": "1",
        "word": "1",
        "exclude": "x y",
        "level": "error",
        "step": "load",
        "hit": "0",
    }
    assert kept == {name: [value] for name, value in expected.items()}
    page = Page(client.get(address))
    assert page.one("input", name="text").attrs["value"] == '"a&b"'
    assert "checked" in page.one("input", name="case", type="checkbox").attrs
    assert page.one("input", id="find-exclude").attrs["value"] == "x y"
    assert page.one("output").text == "no hits"


def test_a_log_too_long_for_one_answer_is_gone_on_with(
    client: Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "find_in_log", lambda *_, **__: FindPage([], 0, 700, False, 1))
    page = Page(client.get(lead(client, run, text="x")))
    assert page.one("output").text == "none up to line 700"
    assert page.one("input", name="at").attrs["value"] == "700"
    assert ask(client, run, text="x", count=1)["is_complete"] is False


def test_what_one_call_leaves_the_next_counts(client: Client, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):  # chunks of their own, so that there is something to leave
        write_log(run, ["needle"] * 400)
    monkeypatch.setattr(view, "find_in_log", partial(view.find_in_log, budget_seconds=0))
    total = searched = answers = 0
    while True:
        page = ask(client, run, text="needle", count=1, after=searched)
        answers += 1
        total += page["count"]
        assert page["searched_to"] > searched
        searched = page["searched_to"]
        if page["is_complete"]:
            break
    assert answers > 1
    assert total == 14 + 1200


def test_hostile_text_in_the_box_is_text(client: Client, run: Run) -> None:
    page = Page(client.get(f"/runs/{run.uid}/", {"find": EVIL, "exclude": EVIL, "looked": EVIL, "hit": EVIL}))
    assert page.one("input", name="text").attrs["value"] == EVIL
    assert "<script>alert" not in page.source
    assert not page.find("img")


def test_a_call_asks_few_questions(client: Client, run: Run, capture: Any) -> None:
    assert count(client, f"/runs/{run.uid}/find/?text=needle&count=1", capture) <= 14
