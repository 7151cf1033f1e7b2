"""GET /api/v1/flow-runs: every filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs_dashboard.models import Run

from .world import Caller, ids, listed

if TYPE_CHECKING:
    from runs_dashboard.models import User

RUNS = "/api/v1/flow-runs"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("filter[flow_id]=billing", "billing"),
        ("filter[flow_id]=billing,orders", "plain olis billing staged tagged tracked failed retry child"),
        ("filter[flow_id]=nothing", ""),
        ("filter[trigger]=schedule", "billing"),
        ("filter[trigger]=schedule,api", "billing olis"),
        ("filter[status]=failed", "failed"),
        ("filter[environment]=staging", "staged"),
        ("filter[environment]=production", ""),
        ("filter[tag]=shop:rome", "tagged"),
        ("filter[tag]=shop:paris", ""),
        ("filter[tracked]=order_id:1234", "tracked"),
        ("filter[tracked]=order_id", "tracked"),
        ("filter[search]=1234", "tracked"),
        ("filter[search]=bill", "billing"),
        ("filter[retried]=true", "failed"),
        ("filter[has_warnings]=true", "olis"),
        ("filter[reviewed]=true", "failed"),
        ("filter[started_after]=1772996400000&filter[started_before]=1773082800000", "retry"),
        ("filter[started_after]=2026-03-08T19:00:00Z&filter[started_before]=2026-03-09T19:00:00.000Z", "retry"),
        ("filter[started_on]=1772391600000", "plain"),
        ("filter[started_on]=2026-03-02", "olis"),
        ("filter[user_id]=oli", "olis"),
        ("filter[status]=failed&filter[flow_id]=billing", ""),
    ],
)
def test_filters(api: Caller, zoo: dict[str, Run], query: str, names: str) -> None:
    found = set(ids(listed(api, query)))

    assert found == {zoo[name].uid for name in names.split()}


def test_filters_by_ids_that_an_answer_gave(api: Caller, zoo: dict[str, Run], oli: User) -> None:
    shown = api.get(f"{RUNS}/{zoo['staged'].uid}?include=virtualEnvironmentVersion.virtualEnvironment").json()
    environment = shown["virtualEnvironmentVersion"]["virtualEnvironment"]["id"]
    billing = api.get(f"{RUNS}/{zoo['billing'].uid}").json()["flowVersionId"]

    assert ids(listed(api, f"filter[virtual_environment_id]={environment}")) == [zoo["staged"].uid]
    assert ids(listed(api, f"filter[flow_version_id]={billing}")) == [zoo["billing"].uid]
    assert ids(listed(api, f"filter[user_id]={oli.pk}")) == [zoo["olis"].uid]
    assert ids(listed(api, f"filter[parent_run_id]={zoo['plain'].uid}")) == [zoo["child"].uid]


def test_no_filter_reaches_another_tenant(eves: Caller, zoo: dict[str, Run], ada: User) -> None:
    for query in (
        "",
        "filter[flow_id]=orders",
        f"filter[user_id]={ada.pk}",
        "filter[search]=1234",
        f"filter[search]={zoo['plain'].uid}",
        f"filter[parent_run_id]={zoo['plain'].uid}",
        f"filter[flow_version_id]={zoo['plain'].version.uuid}",
        "filter[tag]=shop:rome",
        "filter[environment]=staging",
    ):
        assert (listed(eves, query)["items"], listed(eves, query)["total"]) == ([], 0)


def test_a_pair_has_room_for_the_longest_key_and_value(api: Caller, run: Run) -> None:
    run.tag({"k" * 100: "v" * 255})

    assert ids(listed(api, f"filter[tag]={'k' * 100}:{'v' * 255}")) == [run.uid]
    for name in ("tag", "tracked"):
        assert api.get(f"/api/v1/flow-runs?filter[{name}]={'k' * 100}:{'v' * 256}").status_code == 422
