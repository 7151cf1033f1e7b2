"""A real Chromium before the real product. A complaint in the browser's console fails the test."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, WebError, expect

from ..product import Product, ProductMaker

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
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
    context = browser.new_context(**browser_context_args)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(dashboard.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs/")
    state = context.storage_state()
    context.close()
    return state


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
