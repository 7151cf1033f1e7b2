"""createkey, loadflows, purge: what they print, and what they refuse with a sentence."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from runs_dashboard.management import first_start
from runs_dashboard.management.plain_command import Error
from runs_dashboard.models import ApiKey, Flow, FlowVersion, Membership, Role, Run, Status, Tenant, User

pytestmark = pytest.mark.django_db

FLOW = "id: orders\nsteps:\n  - id: load\n    component: command\n    with: {run: [date]}\n"


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.create(slug="default", name="Default")


def call(name: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def member(tenant: Tenant, name: str, role: Role) -> User:
    user = User.objects.create_user(name)
    Membership.objects.of(tenant).create(user=user, role=role)
    return user


# --- createkey ---------------------------------------------------------------------------------------------------


def test_a_new_key_is_alone_on_standard_output(tenant: Tenant) -> None:
    oli = member(tenant, "oli", Role.OPERATOR)

    printed = call("createkey", "--user", "oli", "--name", "laptop")

    key = ApiKey.across_tenants.identify(printed.removesuffix("\n"))
    assert key is not None
    assert (key.user, key.tenant, key.role, key.name) == (oli, tenant, Role.OPERATOR, "laptop")


def test_a_key_can_do_less_than_its_owner_but_not_more(tenant: Tenant) -> None:
    member(tenant, "oli", Role.OPERATOR)

    key = ApiKey.across_tenants.identify(call("createkey", "--user", "oli", "--role", "viewer").strip())
    assert key is not None
    assert key.role == Role.VIEWER
    with pytest.raises(Error, match="cannot do more than its owner"):
        call("createkey", "--user", "oli", "--role", "admin")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--user", "nobody"), "no user 'nobody'"),
        (("--user", "eve"), "eve is not a member of default"),
        (("--user", "eve", "--tenant", "elsewhere"), "no tenant 'elsewhere'. Tenants: default"),
    ],
)
def test_a_key_for_nobody_is_refused(tenant: Tenant, arguments: tuple[str, ...], said: str) -> None:
    User.objects.create_user("eve")

    with pytest.raises(Error, match=said):
        call("createkey", *arguments)
    assert not ApiKey.across_tenants.exists()


# --- loadflows ---------------------------------------------------------------------------------------------------


def test_a_folder_of_flows_is_loaded_and_loading_it_again_makes_no_version(tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FLOW)
    (tmp_path / "b.yml").write_text(FLOW.replace("orders", "returns"))
    (tmp_path / "notes.txt").write_text("no flow")

    assert call("loadflows", str(tmp_path)) == "orders: now version 1\nreturns: now version 1\n"
    assert call("loadflows", str(tmp_path)) == "orders: unchanged, version 1\nreturns: unchanged, version 1\n"
    (tmp_path / "a.yaml").write_text(FLOW.replace("date", "uptime"))
    assert "orders: now version 2\n" in call("loadflows", str(tmp_path))


def test_with_a_mistake_nothing_is_loaded_and_every_mistake_is_said(tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FLOW)
    (tmp_path / "b.yaml").write_text("id: A B\nsteps:\n  - id: x\n    component: teleport\n")
    (tmp_path / "c.yaml").write_text(FLOW)
    errors = io.StringIO()

    with pytest.raises(Error, match=r"Nothing was loaded\.") as refused:
        call_command("loadflows", str(tmp_path), str(tmp_path / "gone.yaml"), stderr=errors)

    said = errors.getvalue().splitlines()
    assert refused.value.returncode == 1
    assert said[0].startswith(f"{tmp_path}/b.yaml:1: id: ")
    assert said[1].startswith(f"{tmp_path}/b.yaml:4: steps[0].component: ")
    assert said[2] == f"{tmp_path}/c.yaml: id: orders is also the id of {tmp_path}/a.yaml"
    assert said[3] == f"{tmp_path}/gone.yaml: No such file or directory"
    assert not Flow.across_tenants.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"id: [", b"- 1" * 200_000], ids=repr)
def test_a_file_that_is_no_flow_is_refused(tenant: Tenant, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.yaml").write_bytes(content)

    with pytest.raises(Error):
        call("loadflows", str(tmp_path / "odd.yaml"))


# --- purge -------------------------------------------------------------------------------------------------------


def test_purge_deletes_what_is_older_than_the_days_given(tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FLOW)
    call("loadflows", str(tmp_path))
    flow = Flow.across_tenants.get()
    for days in (1, 40):
        at = timezone.now() - timedelta(days=days)
        Run.across_tenants.create(
            tenant=tenant, flow=flow, version=flow.latest, trigger="api", status=Status.FAILED, finished_at=at
        )

    assert call("purge", "--days", "0") == "0 runs deleted.\n"
    assert call("purge", "--days", "30") == "1 run deleted.\n"
    with pytest.raises(Error):
        call("purge", "--days", "-1")


# --- the first start ---------------------------------------------------------------------------------------------


def test_the_first_start_makes_what_is_needed_once() -> None:
    said: list[str] = []
    first_start.prepare(said.append)
    first_start.prepare(said.append)

    admin = User.objects.get()
    password = next(line.removeprefix("Password: ") for line in said if line.startswith("Password: "))
    assert admin.check_password(password)
    assert admin.has_made_up_password
    assert Membership.across_tenants.get().role == Role.ADMIN
    assert len(said) == 3
    assert Flow.across_tenants.count() == len(list(first_start.BUNDLED.glob("*.yaml"))) > 3
    assert set(FlowVersion.across_tenants.values_list("number", flat=True)) == {1}


def test_a_bundled_flow_stays_as_somebody_changed_it(tmp_path: Path) -> None:
    first_start.prepare(lambda line: None)
    (tmp_path / "hello.yaml").write_text(FLOW.replace("orders", "hello"))
    call("loadflows", str(tmp_path))

    first_start.prepare(lambda line: None)

    assert Flow.across_tenants.get(slug="hello").latest.number == 2
