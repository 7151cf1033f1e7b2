"""The inbox, what it asks while it is open, and the list of one kind's runs, over a generated history."""

import re

from .context import Context
from .list_and_run_page import measure
from .table import Row


def run(context: Context) -> list[Row]:
    with context.running_on_history() as product, product.signed_in() as browser:
        first = browser.get("/inbox/").text
        opened = re.search(r'class="t" href="([^"]+)"', first)
        poll = re.search(r'hx-get="(/live/inbox/[^"]+)"', first)
        assert opened is not None, "nothing in the history is unresolved"
        assert poll is not None
        pages = {
            "inbox": ("/inbox/", "≤ 30"),
            "inbox, most runs first": ("/inbox/?sort=count", "≤ 30"),
            "poll of an open inbox": (poll[1].replace("&amp;", "&"), "≤ 30"),
            "runs of one kind of failure": (opened[1].replace("&amp;", "&"), "≤ 30"),
        }
        return [measure(product, browser, name, *page) for name, page in pages.items()]
