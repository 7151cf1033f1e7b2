"""The insights and the list of flows over a generated history: server CPU, time and bytes of one request."""

from .context import Context
from .list_and_run_page import measure
from .table import Row

PAGES = {
    "insights of 7 days": ("/insights/", "≤ 30"),
    "insights of 24 hours": ("/insights/?period=24h", "≤ 30"),
    "insights of 90 days": ("/insights/?period=90d", "≤ 30"),
    "list of flows": ("/flows/", ""),
}


def run(context: Context) -> list[Row]:
    with context.running_on_history() as product, product.signed_in() as browser:
        return [measure(product, browser, name, *page) for name, page in PAGES.items()]
