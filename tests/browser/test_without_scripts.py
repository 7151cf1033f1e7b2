"""Every page with scripts off: its content is there, and no button or link is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .pages import EVERY_PAGE, OUTSIDE, fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Locator, Page

    from ..product import Product

    World = tuple[Product, dict[str, Any]]
    Enter = Callable[..., BrowserContext]

# A button does something by itself only within a form, or where it opens what it names.
DEAD = "button:not(form button, [form], [popovertarget], [type=reset]), a:not([href]), form:not([action]):not([method])"
# Its page is made of links; a form without an address asks the page itself, by GET.


@pytest.fixture(scope="module")
def plain(enter_world: Enter) -> Page:
    return enter_world("admin", java_script_enabled=False).new_page()


def dead(page: Page) -> list[str]:
    """What can be seen and pressed, and would do nothing."""
    candidates: list[Locator] = page.locator(DEAD).all()
    return [one.inner_text()[:80] or "(no name)" for one in candidates if one.is_visible()]


def open_each(page: Page) -> None:
    """Folds open without scripts: their own summary does it."""
    for summary in page.locator("main details:not([open]) > summary").all()[:30]:
        if summary.is_visible():
            summary.press("Enter")


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_a_page_is_read_and_pressed_without_scripts(plain: Page, world: World, address: str) -> None:
    plain.goto(fill(address, world[1]))
    assert plain.title()
    assert plain.locator("main h1").first.is_visible()
    assert len(plain.locator("main").inner_text()) > 40
    assert dead(plain) == []
    open_each(plain)
    assert dead(plain) == []


@pytest.mark.parametrize("address", [one for addresses in OUTSIDE.values() for one in addresses])
def test_the_door_opens_without_scripts(enter_world: Enter, address: str) -> None:
    page = enter_world(None, java_script_enabled=False).new_page()
    page.goto(address)
    assert dead(page) == []
    assert page.get_by_role("button", name="Sign in").is_visible()
