"""No list, of pages or API, counts a whole table or skips rows by number: the statements themselves are looked at.

(The admin's lists: tests/admin/test_every_page.py.)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern

from runs_dashboard.api.urls import urlpatterns as api_urls
from runs_dashboard.web.urls import urlpatterns as web_urls

from .api.world import Caller
from .models.runs import make_flow, make_run
from .web.making import write_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from runs_dashboard.models import Tenant, User

ARGUMENTS = {"slug": "orders", "flow_id": "orders", "org_id": "acme", "run_id": "one", "uid": "one"}
QUERIES = {
    "api-logs": {"filter[tenant]": "acme"},
    "search": {"q": "line"},
    "run_find": {"text": "line"},
    "bulk_new": {"act": "retry", "flow": "orders"},
}
LARGE = re.compile(r'"runs_dashboard_(run|step|logchunk|runtag|trackeddata|auditentry|payload|logmetadata)"')
BOUND = re.compile(r"LIMIT \d+\)|\bIN \(\d|\"run_id\" = ")  # a number of rows, or those of known runs


def find_routes(patterns: list[object]) -> list[tuple[str, str]]:
    """The name and the address of each route whose arguments are known."""
    found = []
    for one in patterns:
        assert isinstance(one, URLPattern)
        route = str(one.pattern)
        names = re.findall(r"<\w+:(\w+)>", route)
        if one.name and not route.startswith("^") and set(names) <= ARGUMENTS.keys():
            found.append((one.name, "/" + re.sub(r"<\w+:(\w+)>", lambda name: ARGUMENTS[name[1]], route)))
    return found


@pytest.mark.parametrize(("name", "address"), find_routes([*web_urls, *api_urls]))
def test_no_statement_of_a_get_counts_everything_or_skips_rows(
    name: str,
    address: str,
    tenant: Tenant,
    ada: User,
    key_of: Callable[[User], str],
    client_of: Callable[[User], Client],
) -> None:
    cache.clear()
    run = make_run(make_flow(tenant), uid="one", tags={"team": "blue"}, tracked=[("order_id", "4711")])
    write_log(run, ["a line"])
    client: Client | Caller = Caller(key_of(ada)) if name.startswith("api-") else client_of(ada)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address, query_params=QUERIES.get(name, {}))
    assert answer.status_code in (200, 202, 302, 403, 405), (answer.status_code, answer.content[:500])

    large = [query["sql"] for query in captured if LARGE.search(query["sql"])]
    assert not [sql for sql in large if " OFFSET " in sql]
    assert not [sql for sql in large if "COUNT(" in sql and not BOUND.search(sql)]
