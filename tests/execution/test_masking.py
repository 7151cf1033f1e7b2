"""A flow's secrets are masked wherever they would appear, in every spelling, however they are cut."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from runs_dashboard.models import AuditEntry, LogChunk, Payload, Run, Status, Step, TrackedData

from .workers import execute, load, printed, program

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

SECRET = 'tök"en/+ 7&xyzzy'
SPELLINGS = [SECRET, base64.b64encode(SECRET.encode()).decode(), quote(SECRET, safe=""), json.dumps(SECRET)[1:-1]]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", SECRET)


def everything_stored(run: Run) -> str:
    """All that the database holds of the run, as one text."""
    rows = [
        list(model.across_tenants.filter(run=run).values())
        for model in (Step, Payload, TrackedData, AuditEntry, LogChunk)
    ]
    return json.dumps([rows, list(Run.across_tenants.filter(pk=run.pk).values())], default=str, ensure_ascii=False)


def assert_masked(run: Run) -> None:
    stored = everything_stored(run)
    for spelling in SPELLINGS:
        assert spelling not in stored
    assert "***" in stored


def test_every_spelling_is_masked_in_the_log(tenant: Tenant) -> None:
    source = "import sys; print('\\n'.join(sys.argv[1:]))"
    step = program(source)
    step["with"]["run"] += [f"<{spelling}>" for spelling in SPELLINGS]

    run = execute(load(tenant, [step], secrets=["TOKEN"]))

    assert printed(run) == ["<***>"] * len(SPELLINGS)


def test_a_secret_that_is_printed_byte_by_byte_is_masked(tenant: Tenant) -> None:
    source = (
        "import os, time\n"
        "for byte in b'a ' + os.environb[b'TOKEN'] + b' z\\n':\n"
        "    os.write(1, bytes([byte])); time.sleep(0.02)"
    )
    run = execute(load(tenant, [program(source)], secrets=["TOKEN"]))

    assert printed(run) == ["a *** z"]
    assert_masked(run)


def test_outputs_tracked_data_warnings_and_errors_are_masked(tenant: Tenant) -> None:
    source = """
import json, os, sys
t = os.environ["TOKEN"]
with open(os.environ["RUN_REPORT"], "w") as report:
    for entry in [{"output": {"seen": [t], t: 1}}, {"track": {"token": t}}, {"warning": f"used {t}"}]:
        print(json.dumps(entry), file=report)
sys.exit(f"cannot sign in with {t}")
"""
    run = execute(load(tenant, [program(source)], secrets=["TOKEN"]))

    assert run.status == Status.FAILED
    assert "cannot sign in with ***" in run.error
    assert run.steps.get().outputs == {"seen": ["***"], "***": 1}
    assert list(run.tracked_data.values_list("key", "value")) == [("token", "***")]
    assert_masked(run)


def test_the_error_of_a_program_that_cannot_start_is_masked(tenant: Tenant) -> None:
    run = execute(load(tenant, [[f"/nowhere/{SECRET}"]], secrets=["TOKEN"]))

    assert "there is no program /nowhere/***" in run.error
    # What a flow's author writes into the flow itself is not a run's to mask: only the run's own rows are looked at.
    assert SECRET not in everything_stored(run)
