"""How many calls a key and a tenant may make a minute; more are answered 429 with Retry-After.

Counted in this process's memory. A count in the database would hold across processes, but would cost every call,
even the cheapest list, a write (on SQLite one at a time), or be late by as much as it was flushed later; and these
bounds are against a client that has gone wild, which the process that it talks to notices as well. `up` and `serve`
are one process; behind N of them a client may make up to N times as many calls.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from django.conf import settings

from .errors import TooMany

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..models import ApiKey, Tenant

MINUTE = 60.0
KNOWN_LIMIT = 10_000  # callers remembered before those who have been quiet are forgotten


class Budgets:
    """A bucket for each caller: full it holds a minute's calls, and it fills up evenly.

    Kept as the moment when it will be full again (the generic cell rate algorithm of ITU-T I.371).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def spend(self, *wanted: tuple[Hashable, int]) -> float:
        """Takes one call from each caller's bucket, named with its calls a minute (0: no bound), or none from any.

        Returns 0, or the seconds until there is one in each.
        """
        with self._lock:
            now = self._clock()
            wait = 0.0
            taken = {}
            for caller, rate in wanted:
                if rate > 0:
                    taken[caller] = full_at = max(self._full_at.get(caller, now), now) + MINUTE / rate
                    wait = max(wait, full_at - now - MINUTE)
            if wait > 1e-6:  # less is the sum's own rounding
                return wait
            self._full_at.update(taken)
            if len(self._full_at) > KNOWN_LIMIT:
                self._full_at = {caller: at for caller, at in self._full_at.items() if at > now}
            return 0.0


_budgets = Budgets()


def check_rate(pace: str, tenant: Tenant, key: ApiKey | None = None) -> None:
    """Counts a call. pace: "call", or "append", which is counted apart. Raises TooMany."""
    if pace == "append":
        rates = settings.API_LOG_RATE_PER_KEY, settings.API_LOG_RATE_PER_TENANT
    else:
        rates = settings.API_RATE_PER_KEY, settings.API_RATE_PER_TENANT
    wanted: list[tuple[Hashable, int]] = [((pace, tenant.uuid), rates[1])]
    if key is not None:
        wanted.append(((pace, key.uuid), rates[0]))
    wait = _budgets.spend(*wanted)
    if wait:
        raise TooMany("Too many calls: wait for Retry-After seconds.", retry_after=math.ceil(wait))
