"""Signing in, in a real browser: the door of everything else."""

from playwright.sync_api import BrowserContext, Page, expect

from ..product import Product


def test_a_visitor_is_led_to_the_form_and_a_wrong_password_stays_there(visitor_context: BrowserContext) -> None:
    page = visitor_context.new_page()
    page.goto("/runs/")

    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_printed_password_opens_the_run_list(page: Page, dashboard: Product) -> None:
    page.goto("/")

    expect(page).to_have_url(f"{dashboard.url}/runs/")
