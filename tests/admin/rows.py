"""Tenants with hostile rows of every model."""

from datetime import timedelta
from types import SimpleNamespace

from django.utils import timezone

from runs_dashboard.definition.yaml_source import parse
from runs_dashboard.models import (
    Actor,
    ApiKey,
    AuditEntry,
    BulkAction,
    BulkResult,
    Download,
    EndUser,
    Environment,
    FailureChange,
    Flow,
    IdempotencyKey,
    LogMetadata,
    Machine,
    Membership,
    Payload,
    Purge,
    RetryCall,
    Role,
    RollupCell,
    RollupState,
    Run,
    RunNote,
    SavedView,
    Step,
    StoredDay,
    Tenant,
    User,
    WebhookDelivery,
    WebhookSecret,
    Worker,
    append,
    settle_failures,
)
from runs_dashboard.models.log_index import LogIndexPart
from runs_dashboard.text.intake import Line

EVIL = "<script>alert(1)</script>'\"{{ 7|add:7000000 }}\u202e\x1b[31m"
SETUP = Machine(name="test")
YAML = """
id: orders
name: "<script>alert(1)</script>"
description: "{% csrf_token %} <b>bold</b>"
steps:
  - id: load
    component: command
    with: {run: ["date", "<script>"]}
"""


def make_tenant(slug: str) -> SimpleNamespace:
    """A tenant with a row of every model, each as nasty as the database takes it."""
    tenant = Tenant.objects.create(slug=slug, name=f"{slug} {EVIL}")
    flow, _ = Flow.load(parse(YAML), tenant=tenant, by=SETUP, source=YAML)
    environment = Environment.objects.of(tenant).create(name="production", description=EVIL)
    environment.publish({"NAME": EVIL}, by=SETUP)
    end_user = EndUser.objects.of(tenant).create(session_id=EVIL, type="browser_user")
    run = flow.start(
        {"note": EVIL}, trigger="api", by=SETUP, environment="production", end_user=end_user, tags={"team": EVIL}
    )
    run.track([("order_id", EVIL)])
    claimed = Run.across_tenants.claim(worker="w1", only=run.pk)
    assert claimed is not None
    step = Step.begin(claimed, claimed.version.parsed.steps[0], position=0, attempt=1)
    append(claimed, [Line(EVIL, 3, "stdout", timezone.now().timestamp())], step=step, token=claimed.token)
    claimed.finish("failed", token=claimed.token, error=EVIL, error_step="load", outputs={"text": EVIL})
    Payload.objects.of(tenant).create(run=run, step=step, line=1, name=EVIL, body=EVIL * 2_000, headers={"x": EVIL})
    LogMetadata.objects.of(tenant).create(run=run, line=1, data={"text": EVIL})
    RunNote.write(run, EVIL, by=SETUP)
    Download.request(claimed, by=SETUP)
    IdempotencyKey.objects.of(tenant).create(scope="retry", key=EVIL, digest="0" * 64, answer={"text": EVIL})
    LogIndexPart.objects.of(tenant).create(first_at=timezone.now(), last_at=timezone.now())
    delivery = WebhookDelivery.of(flow, authorised_by="key", prefix="<b>", headers={"User-Agent": EVIL})
    delivery.take_body(EVIL.encode())
    delivery.note(422, error=EVIL)
    StoredDay.objects.of(tenant).create(flow=flow, day=timezone.now().date(), runs=1, log_bytes=100)
    RetryCall.objects.of(tenant).create(run=run, url=f"https://example.org/{EVIL}", start_at="start", next_at=None)
    SavedView.objects.of(tenant).create(name=EVIL[:100], query="status=failed&search=%3Cb%3E", is_shared=True)
    AuditEntry.record("run.edit", run, by=Machine(name=EVIL), run=run, text=EVIL)
    RollupCell.objects.of(tenant).create(by="total", level=24, begin=0)
    bulk = BulkAction.objects.of(tenant).create(
        action="retry", query=EVIL, pairs=[["search", EVIL]], created_by_name=EVIL
    )
    BulkResult.objects.of(tenant).create(bulk=bulk, run=run, run_uid=run.uid, new_run=run, reason=EVIL)
    RollupState.objects.get_or_create(pk=1)
    return SimpleNamespace(tenant=tenant, flow=flow, run=claimed, environment=environment, step=step)


def add_member(tenant: Tenant, name: str, role: Role) -> User:
    user = User.objects.create_user(name, password="a good pass phrase", first_name=EVIL)
    Membership.objects.of(tenant).create(user=user, role=role)
    return user


def make_shop() -> SimpleNamespace:
    """Ada's tenant."""
    made = make_tenant("shop")
    settle_failures()
    # One that waits to be folded, from a moment ago: the run stays as it is, for the tests to act on.
    FailureChange.objects.of(made.tenant).create(
        flow_id=made.flow.pk, fingerprint="0" * 16, run_id=made.run.pk, seen_at=timezone.now(), sign=1, is_gone=0
    )
    made.ada = add_member(made.tenant, "ada", Role.ADMIN)
    made.key, _ = ApiKey.make(user=made.ada, tenant=made.tenant, role=Role.VIEWER, by=Actor(user=made.ada), name=EVIL)
    made.secret, _ = WebhookSecret.make(made.flow, by=SETUP)
    Purge.objects.create(due_at=timezone.now())
    Worker.objects.create(name=EVIL, host="h", pid=1, slots=8, seen_at=timezone.now() - timedelta(days=1))
    return made


def make_rival() -> SimpleNamespace:
    """Eve's tenant."""
    made = make_tenant("rival")
    made.eve = add_member(made.tenant, "eve", Role.ADMIN)
    made.key, _ = ApiKey.make(user=made.eve, tenant=made.tenant, role=Role.VIEWER, by=SETUP, name="rival key")
    made.secret, _ = WebhookSecret.make(made.flow, by=SETUP)
    return made
