"""Every page on a phone, and on a desk: nothing is wider than the screen, however long and unbroken the texts are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .pages import EVERY_PAGE, OUTSIDE, fill
from .test_axe import look, open_everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Page

    from ..product import Product

    World = tuple[Product, dict[str, Any]]
    Enter = Callable[..., BrowserContext]

# The page itself must not scroll sideways; a box within it that scrolls by itself is named, so that it can be judged.
WIDE = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = (one) => /auto|scroll|hidden|clip/.test(getComputedStyle(one).overflowX);
    const inside = (one) => { while ((one = one.parentElement)) if (scrolls(one)) return true; return false; };
    return [...document.body.querySelectorAll('*')]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > width + 0.5 && !inside(one))
        .slice(0, 5).map((one) => one.outerHTML.slice(0, 160));
}"""


@pytest.fixture(scope="module")
def phone(enter_world: Enter) -> Page:
    return enter_world("admin", width=390, reduced_motion="reduce").new_page()


@pytest.fixture(scope="module")
def desk(enter_world: Enter) -> Page:
    return enter_world("admin", width=1280).new_page()


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_no_page_is_wider_than_a_desk(desk: Page, world: World, address: str) -> None:
    desk.goto(fill(address, world[1]), wait_until="load")
    assert desk.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, desk.evaluate(WIDE)


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_a_page_fits_a_phone_and_can_be_used_on_it(phone: Page, world: World, address: str) -> None:
    phone.goto(fill(address, world[1]), wait_until="load")
    assert phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, phone.evaluate(WIDE)
    phone.evaluate("document.querySelectorAll('details:not(.menu)').forEach((one) => (one.open = true))")
    assert phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, phone.evaluate(WIDE)
    open_everything(phone)
    found = look(phone, ("light",))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("address", [one for addresses in OUTSIDE.values() for one in addresses])
def test_the_door_is_no_wider(enter_world: Enter, address: str) -> None:
    page = enter_world(None, width=390).new_page()
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.evaluate(WIDE)


@pytest.mark.parametrize("address", ["/runs/{uid}/", "/runs/{live}/", "/runs/?view=all", "/flows/{slug}/"])
def test_a_menu_is_seen_whole(phone: Page, world: World, address: str) -> None:
    """Each menu of the page, opened alone, stands within the screen."""
    phone.goto(fill(address, world[1]), wait_until="load")
    menus = phone.locator("details.menu > summary:visible")
    for number in range(menus.count()):
        menu = menus.nth(number)
        menu.focus()
        phone.keyboard.press("Enter")
        panel = menu.locator("xpath=following-sibling::*[1]")
        box = panel.bounding_box()
        assert box is not None
        assert box["x"] >= 0, menu.inner_text()
        assert box["x"] + box["width"] <= 390, menu.inner_text()
        assert phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, menu.inner_text()
        phone.keyboard.press("Escape")
