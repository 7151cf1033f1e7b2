"""The shell script of the docs: an engine without a library."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .world import Caller, make_flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs_dashboard.models import Tenant

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the script calls curl, which is not here")
SCRIPT = Path(__file__).parents[2] / "docs" / "api-report-run.sh"


@pytest.fixture
def start(live_server: Any, api: Caller, tenant: Tenant) -> Iterator[Any]:
    """Starts the script; it is ended with the test, if it has not ended by itself."""
    make_flow(tenant, "shipping", steps=False, heartbeat_timeout=60)
    started: list[subprocess.Popen[str]] = []

    def run_script(items: int) -> subprocess.Popen[str]:
        env = {"PATH": os.environ["PATH"], "URL": live_server.url, "KEY": api.key, "PAUSE": "0.05"}
        script = subprocess.Popen(
            ["sh", str(SCRIPT), "shipping", str(items)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(script)
        return script

    yield run_script
    for script in started:
        script.kill()
        script.communicate()


def test_it_reports_a_run_to_its_end(api: Caller, start: Any) -> None:
    printed, mistakes = (script := start(3)).communicate(timeout=60)

    assert (script.returncode, mistakes) == (0, "")
    shown = api.get(f"/api/v1/flow-runs/{printed.strip()}").json()
    assert (shown["phase"], shown["outputs"]) == ("succeeded", {"packed": 3})
    assert [log["message"] for log in shown["logs"]] == [f"packed parcel {n} of 3" for n in (1, 2, 3)]
    assert [(action["id"], action["phase"]) for action in shown["actions"]] == [("pack", "succeeded")]


def test_it_ends_when_a_stop_is_requested(api: Caller, start: Any) -> None:
    script = start(10_000)
    uid = script.stdout.readline().strip()

    assert api.post(f"/api/v1/flow-runs/{uid}/stop").status_code == 202
    script.communicate(timeout=60)

    shown = api.get(f"/api/v1/flow-runs/{uid}").json()
    assert (script.returncode, shown["phase"]) == (0, "stopped")
    assert shown["outputs"]["packed"] < 10_000
