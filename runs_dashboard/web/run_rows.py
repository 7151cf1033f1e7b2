"""The runs that an address asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.datastructures import MultiValueDict

from ..filters import RunFilter
from ..models import Run

if TYPE_CHECKING:
    from ..models import Tenant
    from .run_question import RunQuestion


def filter_runs(tenant: Tenant, question: RunQuestion, *without: str) -> RunFilter:
    """The question's filter over the tenant's runs. without: names that are not asked for."""
    asked = MultiValueDict[str, str]()
    for name, value in question.without(*without):
        asked.appendlist(name, value)
    return RunFilter(asked, queryset=Run.objects.of(tenant), tenant=tenant)
