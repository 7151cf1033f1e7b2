"""axe-core on every page: nothing serious or critical, in either theme, as admin and as viewer. Phones: test_phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .pages import EVERY_PAGE, OUTSIDE, fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from ..product import Product

    World = tuple[Product, dict[str, Any]]
    Enter = Callable[..., BrowserContext]

IMPACTS = ("serious", "critical")
# The admin's own copy of select2 puts a textbox without a name within the combobox that has one.
WHERE = {"exclude": [[".select2-selection__rendered"]]}
MOVING = """document.getAnimations().filter((one) => one.playState === "running" && one.effect.getTiming().duration > 1)
    .map((one) => one.animationName ?? one.transitionProperty)"""
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}


@pytest.fixture(scope="module")
def tab(enter_world: Enter) -> Page:
    return enter_world("admin", reduced_motion="reduce").new_page()


@pytest.fixture(scope="module")
def viewers_tab(enter_world: Enter) -> Page:
    return enter_world("vera", reduced_motion="reduce").new_page()


def complaints(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """What axe-core finds that is serious or critical: rule, place, and what it says of it."""
    asked = {"resultTypes": ["violations"], **(options or {})}
    found = Axe().run(page, context=WHERE, options=asked).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}) at {' '.join(map(str, node['target']))}: "
        f"{node['failureSummary'].splitlines()[-1].strip()}\n    {node['html'][:200]}"
        for violation in found
        if violation["impact"] in IMPACTS
        for node in violation["nodes"][:6]
    ]


def look(page: Page, themes: tuple[str, ...] = ("light", "dark"), *, what: str = "") -> list[str]:
    """In each theme; the second one changes colours alone."""
    found = []
    for theme in themes:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        found += [f"{theme} {what}{one}" for one in complaints(page, None if theme == themes[0] else COLOURS)]
    return found


def open_everything(page: Page) -> None:
    """Menus, folds and panels: what is closed is not looked at."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_a_page_can_be_used_by_everybody(tab: Page, world: World, address: str) -> None:
    tab.goto(fill(address, world[1]), wait_until="load")
    open_everything(tab)
    assert tab.evaluate(MOVING) == [], "who asked for less motion sees none"
    found = look(tab)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("address", ["/runs/?view=all", "/runs/{uid}/", "/inbox/", "/flows/{slug}/", "/bulk/{bulk}/"])
def test_a_page_with_fewer_buttons_can_be_used_by_everybody(viewers_tab: Page, world: World, address: str) -> None:
    viewers_tab.goto(fill(address, world[1]), wait_until="load")
    open_everything(viewers_tab)
    found = look(viewers_tab, ("light",))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("address", [one for addresses in OUTSIDE.values() for one in addresses])
def test_the_door_can_be_used_by_everybody(enter_world: Enter, address: str, width: int) -> None:
    page = enter_world(None, width=width, reduced_motion="reduce").new_page()
    page.goto(address)
    found = look(page)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("nothing")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    found += look(page, what="refused ")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_retry_dialog_can_be_used_by_everybody(enter_world: Enter, world: World, width: int) -> None:
    page = enter_world("admin", width=width, reduced_motion="reduce").new_page()
    page.goto(f"/runs/{world[1]['uid']}/")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.locator("#retry-form")).to_be_visible()
    found = look(page)
    assert not found, "\n".join(found)


@pytest.mark.timeout(400)
def test_the_admin_can_be_used_by_everybody(enter_world: Enter, world: World) -> None:
    page = enter_world("admin", reduced_motion="reduce").new_page()
    found = []
    for address in world[1]["admin"]:
        page.goto(address)
        found += look(page, what=f"{address} ")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_palette_and_the_sheet_of_keys_can_be_used_by_everybody(
    enter_world: Enter, world: World, width: int
) -> None:
    page = enter_world("admin", width=width, reduced_motion="reduce").new_page()
    page.goto(f"/runs/{world[1]['uid']}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("4711")
    expect(page.locator("#jump-options [role=option]").first).to_contain_text("order_id=4711")
    found = look(page, what="palette ")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#sheet")).to_be_visible()
    found += look(page, what="sheet ")
    assert not found, "\n".join(found)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
