"""What people do in the admin: verbs, keys, members, flows, environments. All of it is in the audit trail."""

import re
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from runs_dashboard.models import (
    ApiKey,
    AuditEntry,
    Environment,
    Flow,
    Membership,
    Role,
    Run,
    Status,
    Tenant,
    User,
    WebhookSecret,
)

from .rows import EVIL, SETUP, YAML, add_member
from .test_every_page import address


@pytest.fixture
def ada(shop: SimpleNamespace, enter: Callable[[Any], Client]) -> Client:
    return enter(shop.ada)


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def act(client: Client, model: Any, action: str, *rows: Any) -> Any:
    return client.post(address(model, "changelist"), {"action": action, "_selected_action": [row.pk for row in rows]})


# --- runs --------------------------------------------------------------------------------------------------------


def test_retry_and_review_act_by_the_models_verbs(ada: Client, shop: SimpleNamespace) -> None:
    assert "1 run retried" in said(act(ada, Run, "retry", shop.run))
    assert "1 run reviewed" in said(act(ada, Run, "review", shop.run))

    shop.run.refresh_from_db()
    assert shop.run.is_retried
    assert shop.run.reviewed_by == shop.ada
    assert shop.run.retries.get().created_by == shop.ada
    acts = set(AuditEntry.across_tenants.filter(actor=shop.ada).values_list("action", flat=True))
    assert acts >= {"run.retry", "run.review"}


def test_stop_says_what_was_refused(ada: Client, shop: SimpleNamespace) -> None:
    waiting = shop.flow.start({}, trigger="manual", by=SETUP)
    text = said(act(ada, Run, "stop", shop.run, waiting))

    waiting.refresh_from_db()
    assert waiting.status == Status.STOPPED
    assert "1 run asked to stop" in text
    assert f"{shop.run.short_uid}: The run has failed already" in text


def test_resume_and_force_are_offered(ada: Client, shop: SimpleNamespace) -> None:
    assert "it cannot become" in said(act(ada, Run, "resume", shop.run))
    assert "has failed already" in said(act(ada, Run, "stop_by_force", shop.run))


@pytest.mark.parametrize("what", ["uid", "end of the uid", "flow", "tracked data"])
def test_a_run_is_found_by_whole_words(what: str, ada: Client, shop: SimpleNamespace) -> None:
    other, _ = Flow.load(shop.flow.definition, tenant=shop.tenant, by=SETUP)
    word = {"uid": shop.run.uid, "end of the uid": shop.run.uid[-8:], "flow": other.slug, "tracked data": EVIL}[what]
    found = ada.get(address(Run, "changelist"), {"q": word}).context["cl"].result_list

    assert list(found) == [shop.run]
    assert not ada.get(address(Run, "changelist"), {"q": word + "x"}).context["cl"].result_list


# --- keys and secrets --------------------------------------------------------------------------------------------


def test_a_new_key_is_shown_once_and_works(ada: Client, shop: SimpleNamespace) -> None:
    data = {"tenant": shop.tenant.pk, "user": "ada", "name": "laptop", "role": "operator"}
    answer = ada.post(address(ApiKey, "add"), data)
    secret = re.search(r"<code class=\"secret\">(rd_\S+)</code>", answer.content.decode())

    assert secret is not None
    assert "no-store" in answer.headers["Cache-Control"]
    assert not [cookie for cookie in ada.cookies.values() if secret[1] in cookie.value or cookie.key == "messages"]
    key = ApiKey.across_tenants.identify(secret[1])
    assert key is not None
    assert (key.user, key.role, key.name, key.expires_at) == (shop.ada, Role.OPERATOR, "laptop", None)
    for page in (address(ApiKey, "changelist"), address(ApiKey, "change", key.pk)):
        text = ada.get(page).content.decode()
        assert secret[1] not in text
        assert key.digest not in text
        assert key.prefix in text
    assert AuditEntry.across_tenants.filter(action="key.create", actor=shop.ada, object_id=str(key.pk)).exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user": "nobody"}, "user"),
        ({"user": "stranger"}, "user"),
        ({"user": "vic", "role": "admin"}, "role"),
        ({"expires_at_0": "2001-01-01", "expires_at_1": "00:00"}, "expires_at"),
        ({"role": "god"}, "role"),
    ],
)
def test_a_key_beyond_its_owners_rights_is_refused(
    change: dict[str, str], field: str, ada: Client, shop: SimpleNamespace
) -> None:
    add_member(shop.tenant, "vic", Role.VIEWER)
    User.objects.create_user("stranger")
    before = ApiKey.across_tenants.count()
    data = {"tenant": shop.tenant.pk, "user": "ada", "name": "x", "role": "viewer"} | change
    answer = ada.post(address(ApiKey, "add"), data)

    assert field in answer.context["adminform"].form.errors
    assert ApiKey.across_tenants.count() == before


def test_a_key_may_end_and_be_revoked(ada: Client, shop: SimpleNamespace) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    data = {"tenant": shop.tenant.pk, "user": "ada", "name": "short", "role": "viewer"}
    ada.post(address(ApiKey, "add"), data | {"expires_at_0": f"{tomorrow:%Y-%m-%d}", "expires_at_1": "12:00:00"})
    key = ApiKey.across_tenants.get(name="short")
    assert key.expires_at is not None

    assert "1 key revoked" in said(act(ada, ApiKey, "revoke", key))
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_webhook_secret_is_shown_once(ada: Client, shop: SimpleNamespace) -> None:
    answer = ada.post(address(WebhookSecret, "add"), {"flow": shop.flow.pk})
    shown = re.search(r"<code class=\"secret\">(\S+)</code>", answer.content.decode())

    assert shown is not None
    made = WebhookSecret.across_tenants.latest("pk")
    assert shown[1].startswith(made.prefix)
    text = ada.get(address(WebhookSecret, "change", made.pk)).content.decode()
    assert shown[1] not in text
    assert made.encrypted not in text


# --- people ------------------------------------------------------------------------------------------------------


def test_a_password_is_set_but_never_shown(root: User, enter: Callable[[Any], Client], shop: SimpleNamespace) -> None:
    client = enter(root)
    text = client.get(address(User, "change", shop.ada.pk)).content.decode()
    assert shop.ada.password not in text
    assert "algorithm" not in text
    page = re.search(r'href="(/admin/[^"]+/password/)"', text)
    assert page is not None

    words = {"password1": "another good phrase", "password2": "another good phrase", "usable_password": "true"}
    assert client.post(page[1], words).status_code == 302
    shop.ada.refresh_from_db()
    assert shop.ada.check_password("another good phrase")
    assert AuditEntry.across_tenants.get(action="user.password").actor == root


def test_members_are_added_by_name_changed_and_removed(ada: Client, shop: SimpleNamespace) -> None:
    oli = User.objects.create_user("oli")
    where = address(Membership, "add")
    assert ada.post(where, {"tenant": shop.tenant.pk, "user": "oli", "role": "viewer"}).status_code == 302
    member = Membership.across_tenants.get(user=oli)
    twice = ada.post(where, {"tenant": shop.tenant.pk, "user": "oli", "role": "admin"})
    assert twice.context["errors"]

    ada.post(address(Membership, "change", member.pk), {"role": "operator", "user": "ada"})
    member.refresh_from_db()
    assert (member.role, member.user) == (Role.OPERATOR, oli)
    ada.post(address(Membership, "delete", member.pk), {"post": "yes"})
    assert not Membership.across_tenants.filter(user=oli).exists()
    acts = AuditEntry.across_tenants.filter(object_type="membership", actor=shop.ada).order_by("id")
    assert [entry.action for entry in acts] == ["membership.create", "membership.edit", "membership.delete"]


def test_tenants_and_people_are_made_by_superusers(root: User, enter: Callable[[Any], Client]) -> None:
    client = enter(root)
    assert client.post(address(Tenant, "add"), {"slug": "new", "name": "New", "is_active": "on"}).status_code == 302
    words = {"password1": "a good pass phrase", "password2": "a good pass phrase", "usable_password": "true"}
    assert client.post(address(User, "add"), {"username": "oli", **words}).status_code == 302

    assert AuditEntry.across_tenants.get(action="tenant.create").tenant.slug == "new"
    assert User.objects.get(username="oli").check_password("a good pass phrase")


# --- flows -------------------------------------------------------------------------------------------------------


def flow_form(flow: Flow, **change: Any) -> dict[str, Any]:
    assert flow.latest is not None
    return {"source": flow.latest.source, "is_enabled": "on", "based_on": flow.latest.number} | change


def test_saving_a_flow_publishes_a_version(ada: Client, shop: SimpleNamespace) -> None:
    where = address(Flow, "change", shop.flow.pk)
    assert "with: {run: [&quot;date&quot;" in ada.get(where).content.decode()
    source = YAML.replace('"date"', '"uptime"').replace("\n", "\r\n")
    answer = ada.post(where, flow_form(shop.flow, source=source))

    assert answer.status_code == 302
    assert "Version 2 is published" in said(answer)
    shop.flow.refresh_from_db()
    assert shop.flow.latest.number == 2
    assert shop.flow.latest.created_by == shop.ada
    assert shop.flow.latest.source == YAML.replace('"date"', '"uptime"')
    assert AuditEntry.across_tenants.filter(action="flow.publish", actor=shop.ada).exists()


def test_saving_an_unchanged_flow_makes_no_version(ada: Client, shop: SimpleNamespace) -> None:
    assert ada.post(address(Flow, "change", shop.flow.pk), flow_form(shop.flow)).status_code == 302
    assert shop.flow.versions.count() == 1


def test_a_mistake_is_named_with_its_line_and_nothing_is_saved(ada: Client, shop: SimpleNamespace) -> None:
    source = YAML.replace("component: command", "component: teleport")
    answer = ada.post(address(Flow, "change", shop.flow.pk), flow_form(shop.flow, source=source, is_enabled=""))

    assert answer.context["adminform"].form.errors["source"][0].startswith("Line 7: steps[0].component: ")
    shop.flow.refresh_from_db()
    assert shop.flow.is_enabled
    assert shop.flow.versions.count() == 1


@pytest.mark.parametrize("source", ["", "id: other\nsteps: []\n", "a: &a [*a]", "id: orders\nx: \ud800", "\x00"])
def test_a_source_that_is_not_this_flow_is_refused(source: str, ada: Client, shop: SimpleNamespace) -> None:
    data = flow_form(shop.flow, source=source.encode("utf-8", "replace").decode())
    answer = ada.post(address(Flow, "change", shop.flow.pk), data)

    assert "source" in answer.context["adminform"].form.errors
    assert shop.flow.versions.count() == 1


def test_two_people_who_edit_one_flow_do_not_overwrite_each_other(ada: Client, shop: SimpleNamespace) -> None:
    form = flow_form(shop.flow, source=YAML.replace('"date"', '"mine"'))
    ada.post(address(Flow, "change", shop.flow.pk), flow_form(shop.flow, source=YAML.replace('"date"', '"theirs"')))
    answer = ada.post(address(Flow, "change", shop.flow.pk), form)

    assert "published by somebody else" in str(answer.context["adminform"].form.errors)
    assert "mine" in answer.content.decode()
    assert shop.flow.versions.count() == 2


def test_a_new_flow_is_made_from_its_source(ada: Client, shop: SimpleNamespace) -> None:
    where = address(Flow, "add")
    data = {"tenant": shop.tenant.pk, "source": YAML.replace("id: orders", "id: returns"), "based_on": "0"}
    assert ada.post(where, data).status_code == 302
    assert Flow.objects.of(shop.tenant).get(slug="returns").latest.number == 1

    answer = ada.post(where, data)
    assert "already" in str(answer.context["adminform"].form.errors["source"])


def test_switches_of_a_flow_are_beside_its_definition(ada: Client, shop: SimpleNamespace) -> None:
    form = flow_form(shop.flow, is_schedule_paused="on")
    del form["is_enabled"]
    ada.post(address(Flow, "change", shop.flow.pk), form)

    shop.flow.refresh_from_db()
    assert (shop.flow.is_enabled, shop.flow.is_schedule_paused) == (False, True)
    acts = set(AuditEntry.across_tenants.filter(actor=shop.ada).values_list("action", flat=True))
    assert acts >= {"flow.pause_schedule", "flow.edit"}


def test_a_flow_that_was_never_written_as_yaml_can_be_edited_as_such(ada: Client, shop: SimpleNamespace) -> None:
    shop.flow.versions.update(source="")
    text = ada.get(address(Flow, "change", shop.flow.pk)).context["adminform"].form["source"].value()

    assert ada.post(address(Flow, "change", shop.flow.pk), flow_form(shop.flow, source=text)).status_code == 302
    assert shop.flow.versions.count() == 1


# --- environments ------------------------------------------------------------------------------------------------


def test_variables_are_published_as_versions(ada: Client, shop: SimpleNamespace) -> None:
    where = address(Environment, "change", shop.environment.pk)
    data = {"description": "", "variables": '{"URL": "https://shop.example", "N": 3}', "based_on": "1"}
    assert ada.post(where, data).status_code == 302

    shop.environment.refresh_from_db()
    assert shop.environment.latest.number == 2
    assert shop.environment.latest.variables == {"URL": "https://shop.example", "N": "3"}
    assert "published by somebody else" in ada.post(where, data).content.decode()


@pytest.mark.parametrize(
    "variables", ["[]", "{", '{"a b": "x"}', '{"A": {"b": 1}}', '{"A": null}', "[" * 100_000, '{"A": "\\u0000"}']
)
def test_variables_that_are_none_are_refused(variables: str, ada: Client, shop: SimpleNamespace) -> None:
    data = {"description": "", "variables": variables, "based_on": "1"}
    answer = ada.post(address(Environment, "change", shop.environment.pk), data)

    shop.environment.refresh_from_db()
    if answer.status_code == 302:  # a character that is not kept is replaced
        assert shop.environment.latest.variables == {"A": "\ufffd"}
    else:
        assert "variables" in answer.context["adminform"].form.errors
        assert shop.environment.latest.number == 1


def test_a_new_environment_has_its_first_version(ada: Client, shop: SimpleNamespace) -> None:
    data = {"tenant": shop.tenant.pk, "name": "staging", "description": "", "variables": '{"A": "1"}', "based_on": "0"}
    assert ada.post(address(Environment, "add"), data).status_code == 302

    made = Environment.objects.of(shop.tenant).get(name="staging")
    assert made.latest.variables == {"A": "1"}
