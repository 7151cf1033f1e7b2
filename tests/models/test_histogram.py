"""Quantiles from buckets are off by at most what is said, and sums of buckets are buckets of sums."""

from __future__ import annotations

import math
from random import Random

import pytest

from runs_dashboard.models.histogram import ERROR, add, bucket_of, decode, encode, quantiles, value_of


@pytest.mark.parametrize("part", [0.01, 0.5, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_quantile_is_within_the_error_of_the_exact_one(seed: int, part: float) -> None:
    random = Random(seed)
    values = sorted(random.lognormvariate(random.uniform(2, 12), 1.5) for _ in range(random.randrange(1, 900)))
    counts: dict[int, int] = {}
    for value in values:
        add(counts, {bucket_of(value): 1})

    exact = values[max(1, math.ceil(part * len(values))) - 1]
    (told,) = quantiles(decode(encode(counts)), part)
    assert told is not None
    assert abs(told - exact) <= max(1.0, ERROR * exact * 1.000001)


def test_the_error_is_below_five_per_cent() -> None:
    assert ERROR < 0.05


def test_every_duration_has_a_bucket() -> None:
    for ms in (0, 0.5, 1, 1.0001, 10**9, 10**30):
        assert 0 <= bucket_of(ms) < 300
    assert value_of(bucket_of(0)) == 1.0


def test_nothing_has_no_quantile() -> None:
    assert quantiles({}) == (None, None)
    assert quantiles({3: 1, 4: -1}) == (None, None)
    assert encode({3: 0}) == "{}"
