"""What every test gets: its own settings, its own database, and the oracle that nothing went wrong unseen.

`TEST_DATABASE_URL` (given by `python -m tests`) names a PostgreSQL server; without it the tests use SQLite.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from .product import Product, ProductMaker

if TYPE_CHECKING:  # Django's settings must not be read before the environment below is theirs
    from collections.abc import Callable, Generator, Iterator

    from django.test import Client

    from runs_dashboard.models import Tenant, User

HERE = Path(__file__).parent
PASSWORD = "correct horse battery staple"
DATA_DIR = Path(tempfile.mkdtemp(prefix="tests-data-"))
(DATA_DIR / "static").mkdir()  # WhiteNoise warns of a root that is not there

# Before Django reads its settings: what the developer's shell says is no business of a test.
for name in (
    "ALLOWED_HOSTS",
    "API_LOG_RATE_PER_KEY",
    "API_LOG_RATE_PER_TENANT",
    "API_RATE_PER_KEY",
    "API_RATE_PER_TENANT",
    "BROKER_URL",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "DEBUG",
    "HTTPS",
    "HTTP_ALLOW",
):
    os.environ.pop(name, None)
os.environ["DJANGO_SETTINGS_MODULE"] = "runs_dashboard.settings"
os.environ["DATA_DIR"] = str(DATA_DIR)
os.environ["SECRET_KEY"] = "only-for-the-tests-and-long-enough"
if "TEST_DATABASE_URL" in os.environ:
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a slow one tests nothing
    settings.AXES_ENABLED = False  # wants a request for each sign-in; the tests of the lockout switch it on
    if "TEST_DATABASE_URL" not in os.environ:
        # A file, not Django's in-memory default: threads and locks are then what they are in the product.
        settings.DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(DATA_DIR, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folder is the marker. The browser comes last: its driver keeps a loop in the main thread."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in ("browser", "process"):
            item.add_marker(folder)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the real products that it used have printed."""
    # Python 3.11 fails when a parse for a traceback is entered twice, and a collection in the midst of one does
    # that: it logs the traceback of a task that nobody waited for.
    gc.disable()
    try:
        report = yield
    finally:
        gc.enable()
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Product):
                report.sections.append((f"log of {name} ({value.url})", value.read_log()[-20_000:]))
    return report


# --- nothing goes wrong unseen ------------------------------------------------------------------


class _Errors(logging.Handler):
    """Keeps what a server log must not hold: an answer of 500, a traceback that nobody caught."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "django.request" or record.exc_info:
            self.messages.append(logging.Formatter().format(record))


WATCHED = ("django.request", "runs_dashboard", "asyncio", "uvicorn.error", "celery")


@pytest.fixture(autouse=True)
def server_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test during which a server error was logged, unless it asked for `expected_server_errors`."""
    handler = _Errors()
    loggers = [logging.getLogger(name) for name in WATCHED]
    for logger in loggers:
        logger.addHandler(handler)
    if "expected_server_errors" in request.fixturenames:
        request.getfixturevalue("expected_server_errors").append(handler.messages)
    yield
    for logger in loggers:
        logger.removeHandler(handler)
    assert not find_silenced(), "the test has silenced loggers, so that no later test hears of an error"
    if "expected_server_errors" in request.fixturenames:
        assert handler.messages, "this test expects a server error, and there was none"
    else:
        assert not handler.messages, "logged during the test:\n" + "\n".join(handler.messages)


def find_silenced() -> list[str]:
    """The names of our loggers that say nothing."""
    manager = logging.root.manager
    known = [(name, logger) for name, logger in manager.loggerDict.items() if isinstance(logger, logging.Logger)]
    return [name for name, logger in known if name.startswith(WATCHED) and (logger.disabled or manager.disable)]


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> None:
    """What a page keeps for some seconds is the business of one test, not of the next."""
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def expected_server_errors() -> list[list[str]]:
    """For the test of a server error: its first item is the list of messages logged so far."""
    return []


@pytest.fixture(autouse=True)
def no_process_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test of the worker side that leaves a process running."""
    if request.path.relative_to(HERE).parts[0] != "execution":
        yield
        return
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs(left, timeout=3)
    assert not alive, f"still running after the test: {alive}"


# --- the cast: Ada admin, Oli operator, Sue support, Vic viewer, and Eve, the admin of another tenant ---


@pytest.fixture
def tenant(db: None) -> Tenant:
    from runs_dashboard.models import Tenant

    return Tenant.objects.create(slug="acme", name="Acme")


@pytest.fixture
def other_tenant(db: None) -> Tenant:
    from runs_dashboard.models import Tenant

    return Tenant.objects.create(slug="elsewhere", name="Elsewhere")


@pytest.fixture
def ada(tenant: Tenant) -> User:
    return make_member("ada", "admin", tenant)


@pytest.fixture
def oli(tenant: Tenant) -> User:
    return make_member("oli", "operator", tenant)


@pytest.fixture
def sue(tenant: Tenant) -> User:
    return make_member("sue", "support", tenant)


@pytest.fixture
def vic(tenant: Tenant) -> User:
    return make_member("vic", "viewer", tenant)


@pytest.fixture
def eve(other_tenant: Tenant) -> User:
    return make_member("eve", "admin", other_tenant)


def make_member(username: str, role: str, tenant: Tenant) -> User:
    """A user with the password `PASSWORD` and that role in the tenant."""
    from runs_dashboard.models import Membership, User

    user = User.objects.create_user(username, f"{username}@example.org", PASSWORD, first_name=username.title())
    Membership.across_tenants.create(tenant=tenant, user=user, role=role)
    return user


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """`client_of(ada)` is a browser in which Ada has signed in."""
    from django.test import Client

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def key_of() -> Callable[[User], str]:
    """`key_of(ada)` is the secret of a new API key of Ada's, in her tenant and with her role."""
    from runs_dashboard.models import Actor, ApiKey, Membership

    def make_key(user: User) -> str:
        member = Membership.across_tenants.select_related("tenant").get(user=user)
        return ApiKey.make(user=user, tenant=member.tenant, role=member.role, by=Actor(user=user))[1]

    return make_key


# --- the real product ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def make_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProductMaker]:
    """Makes products on the database of this test run. They are ended with the session, unless before."""
    maker = ProductMaker(tmp_path_factory.mktemp, os.environ.get("TEST_DATABASE_URL"))
    yield maker
    maker.close()
