"""Keys, one-time keys, the trail, versions, schedules, retention: what is kept and what goes."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from runs_dashboard.models import (
    ApiKey,
    AuditEntry,
    Download,
    Environment,
    KeyReused,
    LogChunk,
    Membership,
    Run,
    Status,
    Step,
    WebhookSecret,
    append_system,
    once,
    purge,
)

from .runs import ENGINE, actor, make_flow, make_run

if TYPE_CHECKING:
    from runs_dashboard.models import Tenant, User


def test_a_key_is_known_by_its_digest_only_and_not_after_it_was_revoked(tenant: Tenant, oli: User) -> None:
    key, secret = ApiKey.make(user=oli, tenant=tenant, role="operator", by=actor(oli), name="ci")
    assert secret not in str(ApiKey.across_tenants.filter(pk=key.pk).values())
    assert ApiKey.across_tenants.identify(secret) == key
    assert ApiKey.across_tenants.identify(secret[:-1] + "x") is None
    assert ApiKey.across_tenants.identify("rd_" + "0" * 40) is None
    assert ApiKey.across_tenants.identify("") is None
    key.revoke(by=actor(oli))
    assert ApiKey.across_tenants.identify(secret) is None


def test_a_key_expires(tenant: Tenant, oli: User) -> None:
    _, secret = ApiKey.make(user=oli, tenant=tenant, role="viewer", by=ENGINE, lifetime=timedelta(seconds=-1))
    assert ApiKey.across_tenants.identify(secret) is None


def test_a_key_never_may_more_than_its_owner_today(tenant: Tenant, oli: User) -> None:
    key, _ = ApiKey.make(user=oli, tenant=tenant, role="operator", by=actor(oli))
    assert key.may("operator")
    assert not key.may("admin")
    Membership.across_tenants.filter(user=oli).update(role="viewer")
    assert key.may("viewer")
    assert not key.may("operator")
    Membership.across_tenants.filter(user=oli).delete()
    assert not key.may("viewer")


def test_a_one_time_key_answers_as_it_did_and_refuses_another_body(tenant: Tenant, other_tenant: Tenant) -> None:
    assert once(tenant, "start", "k", b"1", lambda: {"n": 1}) == ({"n": 1}, False)
    assert once(tenant, "start", "k", b"1", lambda: {"n": 2}) == ({"n": 1}, True)
    assert once(other_tenant, "start", "k", b"1", lambda: {"n": 3}) == ({"n": 3}, False)
    with pytest.raises(KeyReused):
        once(tenant, "start", "k", b"2", lambda: {"n": 4})


def test_an_act_that_failed_does_not_use_its_key_up(tenant: Tenant) -> None:
    def fail() -> dict[str, int]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        once(tenant, "start", "k", b"", fail)
    assert once(tenant, "start", "k", b"", lambda: {"n": 1}) == ({"n": 1}, False)


def test_the_trail_is_never_changed(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    entry = AuditEntry.across_tenants.filter(run=run).get()
    assert (entry.action, entry.to_status, entry.actor_name) == ("run.start", "queued", "test")
    entry.action = "run.nothing"
    for change in (
        entry.save,
        entry.delete,
        AuditEntry.across_tenants.all().delete,
        lambda: AuditEntry.across_tenants.update(action="x"),
    ):
        with pytest.raises(PermissionError):
            change()


def test_a_deleted_person_stays_in_the_trail_by_name(tenant: Tenant, oli: User) -> None:
    run = make_run(make_flow(tenant))
    run.request_stop(by=actor(oli))
    oli.delete()
    entry = AuditEntry.across_tenants.filter(action="run.stop").get()
    assert (entry.actor, entry.actor_name, entry.address) == (None, "Oli", "192.0.2.1")


def test_an_unchanged_flow_makes_no_new_version(tenant: Tenant) -> None:
    assert make_flow(tenant).latest == make_flow(tenant).latest
    assert make_flow(tenant, extra="concurrency: 3").latest.number == 2


def test_a_run_keeps_the_version_it_began_with(tenant: Tenant) -> None:
    run = make_run(make_flow(tenant))
    make_flow(tenant, extra="timeout: 5")
    run.refresh_from_db()
    assert run.version.number == 1


def test_a_changed_environment_is_a_new_version_and_an_equal_one_is_not(tenant: Tenant) -> None:
    environment = Environment.objects.of(tenant).create(name="production")
    first = environment.publish({"URL": "https://a.example"}, by=ENGINE)
    assert environment.publish({"URL": "https://a.example"}, by=ENGINE) == first
    assert environment.publish({"URL": "https://b.example"}, by=ENGINE).number == 2


def test_a_schedule_fires_once_and_moves_on(tenant: Tenant) -> None:
    flow = make_flow(tenant, extra='schedule: "0 2 * * *"\ntimezone: Europe/Berlin')
    due = flow.next_run_at
    assert due is not None
    assert due.astimezone(UTC).minute == 0
    now = due + timedelta(seconds=3)
    same = type(flow).across_tenants.get(pk=flow.pk)
    run = flow.fire(now)
    assert run is not None
    assert (run.trigger, run.status) == ("schedule", Status.QUEUED)
    assert same.fire(now) is None, "another scheduler was first"
    flow.refresh_from_db()
    assert flow.next_run_at > now


def test_a_paused_schedule_is_not_due(tenant: Tenant) -> None:
    flow = make_flow(tenant, extra='schedule: "* * * * *"')
    later = timezone.now() + timedelta(hours=1)
    assert list(type(flow).across_tenants.due(later)) == [flow]
    flow.pause_schedule(by=ENGINE)
    assert not type(flow).across_tenants.due(later).exists()
    flow.resume_schedule(by=ENGINE)
    assert type(flow).across_tenants.due(later).exists()


def aged(run: Run, days: int) -> Run:
    Run.across_tenants.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(days=days))
    return run


def test_retention_takes_old_runs_with_all_that_hangs_on_them(tenant: Tenant) -> None:
    flow = make_flow(tenant)
    old, young = aged(make_run(flow, Status.FAILED), 100), aged(make_run(flow, Status.FAILED), 10)
    pinned = aged(make_run(flow, Status.FAILED), 100)
    Run.across_tenants.filter(pk=pinned.pk).update(is_pinned=True)
    waiting = make_run(flow)
    append_system(old, "a line")
    old.track([("order_id", "1")])
    retried = old.retry(by=ENGINE, start_at="failed")
    Download.request(old, by=ENGINE)
    assert purge().runs == 1
    assert set(Run.across_tenants.all()) == {young, pinned, waiting, retried}
    assert not LogChunk.across_tenants.filter(run_id=old.pk).exists()
    assert not Step.across_tenants.filter(run_id=old.pk).exists()
    retried.refresh_from_db()
    assert retried.retried_run is None
    assert Download.across_tenants.get().run_uid == old.uid
    assert AuditEntry.across_tenants.filter(object_id=old.uid).exists(), "the trail outlives the run"


def test_a_flows_own_rule_goes_before_the_general_one(tenant: Tenant) -> None:
    short = make_flow(tenant, "short", extra="retention: {days: 5}")
    long = make_flow(tenant, "long", extra="retention: {days: 500}")
    runs = [aged(make_run(flow, Status.FAILED), 100) for flow in (short, long)]
    assert purge().runs == 1
    assert list(Run.across_tenants.all()) == [runs[1]]


def test_zero_days_keep_everything_and_negative_ones_are_refused(tenant: Tenant) -> None:
    aged(make_run(make_flow(tenant), Status.FAILED), 10_000)
    assert purge(days=0).runs == 0
    with pytest.raises(ValueError, match="0"):
        purge(days=-1)
    assert purge(days=1).runs == 1


def test_the_same_download_asked_for_twice_is_one_job(tenant: Tenant, sue: User) -> None:
    run = make_run(make_flow(tenant), Status.FAILED)
    first = Download.request(run, by=actor(sue))
    assert Download.request(run, by=actor(sue)) == first
    assert Download.request(run, by=actor(sue), format="csv") != first


def test_a_webhook_secret_signs_until_it_expires_and_is_not_kept_in_the_clear(tenant: Tenant) -> None:
    row, secret = WebhookSecret.make(make_flow(tenant), by=ENGINE)
    good = "sha256=" + hmac.new(secret.encode(), b"{}", "sha256").hexdigest()
    assert row.signs(b"{}", good)
    assert not row.signs(b"{ }", good)
    assert not row.signs(b"{}", "sha256=é")
    assert secret not in row.encrypted
    row.expires_at = datetime(2020, 1, 1, tzinfo=UTC)
    assert not row.signs(b"{}", good)
