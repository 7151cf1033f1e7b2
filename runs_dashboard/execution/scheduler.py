"""The scheduler: starts what is due. Any number may run; the flow's row decides who starts a run."""

from __future__ import annotations

import logging

from django.db import Error as DatabaseError
from django.utils import timezone

from ..models import Flow, FlowDisabled

logger = logging.getLogger(__name__)


def start_due() -> int:
    """Starts every flow whose time has come. Returns how many runs were started."""
    now = timezone.now()
    count = 0
    for flow in Flow.across_tenants.due(now).select_related("latest")[:100]:
        try:
            run = flow.fire(now)
        except FlowDisabled as refusal:
            logger.warning("Schedule of %s: %s", flow.slug, refusal)
            continue
        except DatabaseError:
            raise
        except Exception:
            # One flow that cannot be started must not keep the others from their time.
            logger.exception("Schedule of %s cannot be read; the others go on.", flow.slug)
            continue
        count += run is not None
    return count
