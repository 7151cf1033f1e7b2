"""Two tenants with hostile rows of every model, and the people who look at them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def shop(db: None) -> SimpleNamespace:
    """Ada's tenant."""
    from .rows import make_shop  # the models are not there yet when this file is read

    return make_shop()


@pytest.fixture
def rival(db: None) -> SimpleNamespace:
    """Eve's tenant."""
    from .rows import make_rival

    return make_rival()


@pytest.fixture
def root(db: None) -> Any:
    """A superuser."""
    from runs_dashboard.models import User

    return User.objects.create_superuser("root", password="a good pass phrase")


@pytest.fixture
def enter() -> Callable[[Any], Client]:
    """A signed-in client of a person."""

    def signed_in(user: Any) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in
