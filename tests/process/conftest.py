"""Real processes: the product as a user starts it, to be stopped, killed and started again."""

from collections.abc import Iterator

import pytest

from ..product import Product, ProductMaker

# Short enough for a test, long enough for a busy machine.
QUICK = {"LEASE_SECONDS": "4", "BEAT_SECONDS": "1", "STOP_GRACE_SECONDS": "2", "DRAIN_SECONDS": "3"}


@pytest.fixture(scope="module")
def dashboard(make_product: ProductMaker) -> Iterator[Product]:
    """A running product for all tests of one file: leave it running."""
    product = make_product(**QUICK)
    yield product.start()
    make_product.end(product)


@pytest.fixture
def fresh_dashboard(make_product: ProductMaker) -> Iterator[Product]:
    """A running product for one test, which may kill it and start it again."""
    product = make_product(**QUICK)
    yield product.start()
    make_product.end(product)
