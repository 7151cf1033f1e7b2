"""/healthz, /readyz and /metrics: who is told what."""

import pytest
from django.db import connection
from django.test import Client

from runs_dashboard.models import ApiKey, Machine, Membership, Role, Tenant, User
from runs_dashboard.web import health

from ..models.runs import make_flow, make_run

SETUP = Machine(name="test")


@pytest.fixture
def key(db: None) -> str:
    tenant = Tenant.objects.create(slug="hidden-tenant", name="Hidden")
    vic = User.objects.create_user("vic")
    Membership.objects.of(tenant).create(user=vic, role=Role.VIEWER)
    return ApiKey.make(user=vic, tenant=tenant, role=Role.VIEWER, by=SETUP)[1]


def test_liveness_needs_no_login_and_tells_nothing(client: Client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer["Cache-Control"].startswith("max-age=0")


@pytest.mark.django_db
@pytest.mark.usefixtures("expected_server_errors")  # Django logs a 503 as one
def test_ready_means_that_every_migration_is_applied(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_is_migrated", False)
    assert client.get("/readyz").status_code == 200

    monkeypatch.setattr(health, "_is_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'runs_dashboard'")
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_the_census_of_migrations_knows_those_of_every_app() -> None:
    assert {app for app, _ in health.find_migrations()} >= {"runs_dashboard", "auth", "admin", "sessions", "axes"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"},
        {"REMOTE_ADDR": "::1", "HTTP_FORWARDED": "for=192.0.2.7"},
        {"REMOTE_ADDR": "", "HTTP_AUTHORIZATION": "Bearer rd_00000000nothing"},
        {"REMOTE_ADDR": "192.0.2.7", "HTTP_AUTHORIZATION": "Bearer \ud800"},
    ],
)
def test_metrics_are_not_for_strangers(client: Client, headers: dict[str, str]) -> None:
    answer = client.get("/metrics", **headers)

    assert answer.status_code == 401
    assert b"runs_dashboard" not in answer.content


def test_metrics_are_for_any_key_and_name_no_tenant(client: Client, key: str) -> None:
    answer = client.get("/metrics", REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION=f"Bearer {key}")

    assert answer.status_code == 200
    text = answer.content.decode()
    for name in ("runs_queued", "runs_running", "workers_alive", "queue_age_seconds", "data_disk_free_bytes"):
        assert f"\nruns_dashboard_{name} " in text
    assert "hidden-tenant" not in text.lower()


@pytest.mark.django_db
def test_what_is_counted_for_ever_does_not_go_with_its_runs(client: Client) -> None:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    run = make_run(make_flow(tenant), "failed")

    def read() -> str:
        text = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
        return next(line for line in text.splitlines() if line.startswith('runs_dashboard_runs_ended_total{status="f'))

    before = read()
    assert float(before.split()[-1]) >= 1
    run.delete_whole(by=SETUP)
    assert read() == before


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_metrics_are_for_programs_on_this_machine(client: Client, address: str) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_they_are_for_reading_only(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
