"""A real Chromium before the real product. A complaint in the browser's console fails the test."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, WebError, expect

from ..product import Product, ProductMaker, wait_for
from .pages import PASSWORD

CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=20_000)  # milliseconds: on two busy cores a page takes its time


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        reason = f"no browser on this machine: none of {', '.join(CHROMIUM)} is installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return {**browser_type_launch_args, "executable_path": program, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def dashboard(make_product: ProductMaker) -> Iterator[Product]:
    """The running product that all browser tests look at: leave it running, make your own flows and runs."""
    product = make_product(STOP_GRACE_SECONDS="2")
    yield product.start()
    make_product.end(product)


@pytest.fixture(scope="session")
def world(make_product: ProductMaker) -> Iterator[tuple[Product, dict[str, Any]]]:
    """A product of its own that holds everything a page can show, and the addresses of it: change nothing there."""
    product = make_product()
    product.may_log_errors = True  # whom it refuses a page it names with a traceback
    product.start()
    file = product.data_dir.with_name("world.json")
    product.manage("shell", "-c", f"from tests.browser.world import make; make({str(file)!r})")
    made = json.loads(file.read_text())
    with closing(product.api()) as client:
        wait_for(
            lambda: client.get(f"/api/v1/flow-runs/{made['paused']}").json()["phase"] == "paused", "a run is paused"
        )
    yield product, made
    make_product.end(product)


def sign_in(browser: Browser, arguments: dict[str, Any], product: Product, name: str, password: str) -> Any:
    """The cookies of somebody who signs in through the form."""
    context = browser.new_context(**{**arguments, "base_url": product.url})
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs/**")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="session")
def enter_world(
    browser: Browser, browser_context_args: dict[str, Any], world: tuple[Product, dict[str, Any]]
) -> Iterator[Callable[..., BrowserContext]]:
    """`enter_world("vera", width=390)` is a window of the world's admin, or of one of its people; None is a visitor."""
    product = world[0]
    states: dict[str | None, Any] = {None: None}
    opened = []

    def enter(name: str | None, *, width: int = 1280, **more: Any) -> BrowserContext:
        if name not in states:
            password = product.password if name == "admin" else PASSWORD
            states[name] = sign_in(browser, browser_context_args, product, name or "", password or "")
        size = {"width": width, "height": 844 if width < 700 else 900}
        arguments = {**browser_context_args, "base_url": product.url, "storage_state": states[name], "viewport": size}
        context = browser.new_context(**arguments, **more)
        opened.append(context)
        return context

    yield enter
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def base_url(dashboard: Product) -> str:
    """Where the plugin's pages are: `page.goto("/runs/")`."""
    return dashboard.url


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "en-GB", "timezone_id": "Europe/Berlin"}


@pytest.fixture(scope="session")
def signed_in_state(browser: Browser, browser_context_args: dict[str, Any], dashboard: Product) -> Any:
    """The cookies of the first admin, who signs in once through the form."""
    assert dashboard.password is not None, dashboard.read_log()
    return sign_in(browser, browser_context_args, dashboard, "admin", dashboard.password)


@pytest.fixture
def context(
    new_context: Callable[..., BrowserContext],
    signed_in_state: Any,
    console_complaints: list[str],
) -> BrowserContext:
    """The admin's window; the plugin's `page` is a tab of it."""
    context = new_context(storage_state=signed_in_state)
    watch_console(context, console_complaints)
    return context


@pytest.fixture
def visitor_context(new_context: Callable[..., BrowserContext], console_complaints: list[str]) -> BrowserContext:
    """The window of somebody who has not signed in."""
    context = new_context()
    watch_console(context, console_complaints)
    return context


@pytest.fixture
def expected_complaints() -> list[str]:
    """A test appends regular expressions of what the console will say; each must then be said."""
    return []


@pytest.fixture
def console_complaints(expected_complaints: list[str]) -> Iterator[list[str]]:
    """Errors, violations of the content policy and uncaught exceptions, as the browser words them."""
    complaints: list[str] = []
    yield complaints
    unexpected = [text for text in complaints if not any(re.search(pattern, text) for pattern in expected_complaints)]
    unsaid = [pattern for pattern in expected_complaints if not any(re.search(pattern, text) for text in complaints)]
    assert not unexpected, "the browser's console says:\n" + "\n".join(unexpected)
    assert not unsaid, f"expected in the browser's console, and not there: {unsaid}"


def watch_console(context: BrowserContext, complaints: list[str]) -> None:
    """Append to `complaints` whatever this window's console says in red."""

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def hear_error(error: WebError) -> None:
        complaints.append(str(error.error))

    context.on("console", hear)
    context.on("weberror", hear_error)
