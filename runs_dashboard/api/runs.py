"""What every view of one run needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .including import read_rows, show_runs
from .operations import ApiView

if TYPE_CHECKING:
    from ..models import Run
    from .representations import FlowRun

NOTHING_INCLUDED: dict[str, Any] = {"include": ()}


class RunView(ApiView):
    """A view that answers with a run."""

    def show(self, run: Run) -> FlowRun:
        """The run as it is now, whole."""
        fresh = read_rows(self.runs(), NOTHING_INCLUDED, is_single=True).get(pk=run.pk)
        return show_runs([fresh], NOTHING_INCLUDED, is_single=True)[0]
