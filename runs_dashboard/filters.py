"""What can be asked of lists: one FilterSet a noun, the same for pages and API.

Every name here is a name in the address of a page (`?status=failed`) and, as `name_for_api` says, in the API
(`filter[status]=failed`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import django_filters
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.lookups import GreaterThan, LessThan
from django.utils import timezone

from .filter_fields import (
    Ago,
    BooleanFilter,
    LengthFilter,
    ManyFilter,
    MomentFilter,
    PairFilter,
    StepKindFilter,
    TextFilter,
    is_uuid,
    split_words,
)
from .models import (
    NO_COMPONENT,
    NO_ERROR,
    UNRESOLVED,
    BulkResult,
    EnvironmentVersion,
    Flow,
    HasPair,
    Run,
    RunTag,
    Status,
    TrackedData,
    Trigger,
    User,
)

if TYPE_CHECKING:
    from .filter_fields import StepKind
    from .models.run_set import RunQuerySet

FEW_RUNS = 2_000  # that have a tag or a pair: fewer are looked up, more are met on the way through the list
UID_MAX = 255  # characters
SEARCH_LIMIT = 1_000  # runs that a text may name by key, tag or id
API_NAMES = {"user": "user_id", "flow": "flow_id"}  # where programs (seed 3) say it otherwise than people
LEVELS = (("warning", "Warnings"), ("error", "Errors"))


class RunFilter(django_filters.FilterSet):
    """Which runs. `queryset` must be one tenant's; the tenant is read from it."""

    status = ManyFilter(choices=Status.choices)
    flow = TextFilter(method="of_flow", label="Flow")
    trigger = ManyFilter(choices=Trigger.choices)
    user = TextFilter(method="of_user", label="User")
    tag = PairFilter(method="with_tag", label="Tag")
    tracked = PairFilter(method="with_tracked", label="Tracked data")
    environment = TextFilter(method="in_environment", label="Environment")
    component = StepKindFilter(method="with_component", label="Component")
    started_after = MomentFilter(method="from_moment", label="Started after")
    started_before = MomentFilter(method="to_moment", label="Started before")
    started_on = MomentFilter(method="on_day", label="Started on")
    since = MomentFilter(method="from_order", label="Since")
    until = MomentFilter(method="to_order", label="Until")
    duration_over = LengthFilter(method="that_took", label="Took longer than")
    duration_under = LengthFilter(method="that_took", label="Took less than")
    search = TextFilter(method="matching", label="Text")
    level = ManyFilter(choices=LEVELS, method="with_level", label="Lines of level")
    retried = BooleanFilter(field_name="is_retried", label="Retried")
    has_warnings = BooleanFilter(field_name="has_warnings", label="With warnings")
    reviewed = BooleanFilter(method="is_reviewed", label="Reviewed")
    unresolved = BooleanFilter(method="is_unresolved", label="Unresolved")
    error = TextFilter(method="of_error", label="Error")
    pinned = BooleanFilter(field_name="is_pinned", label="Pinned")
    parent_run_id = TextFilter(method="of_parent", label="Started by run")
    bulk = TextFilter(method="of_bulk", label="Bulk action")
    not_status = ManyFilter(choices=Status.choices, method="without_words", label="Not status")
    not_flow = TextFilter(method="without_flow", label="Not flow")
    not_trigger = ManyFilter(choices=Trigger.choices, method="without_words", label="Not trigger")
    not_user = TextFilter(method="without_user", label="Not started by")
    not_environment = TextFilter(method="without_environment", label="Not environment")
    not_tag = PairFilter(method="without_pairs", label="Without tag")
    not_tracked = PairFilter(method="without_pairs", label="Without tracked data")
    # The ids that a program has (seed 3).
    user_id = TextFilter(method="of_user")
    flow_id = TextFilter(method="of_flow")
    flow_version_id = TextFilter(method="of_version")
    virtual_environment_id = TextFilter(method="in_environment")

    base_filters: dict[str, django_filters.Filter]

    class Meta:
        model = Run
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, tenant: Any, **kwargs: Any) -> None:
        self.tenant = tenant
        # Those that are asked for: to copy all of them, as the library does, took a tenth of the time of a page.
        self.base_filters = {name: one for name, one in self.base_filters.items() if name in (data or ())}
        super().__init__(data, *args, **kwargs)

    def of_flow(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(flow_id__in=self._flows(value))

    def without_flow(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.exclude(flow_id__in=self._flows(value))

    def _flows(self, value: str) -> list[int]:
        flows = Flow.objects.of(self.tenant).filter(slug__in=split_words(value))
        return list(flows.values_list("pk", flat=True))

    def of_user(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(_by_users(value))

    def without_user(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.exclude(_by_users(value))

    def of_version(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(version__uuid=value) if is_uuid(value) else rows.none()

    def in_environment(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(environment_version_id__in=self._environment_versions(value))

    def without_environment(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.exclude(environment_version_id__in=self._environment_versions(value))

    def _environment_versions(self, value: str) -> list[int]:
        versions = EnvironmentVersion.objects.of(self.tenant)
        named = Q(environment__uuid=value) if is_uuid(value) else Q(environment__name=value)
        return list(versions.filter(named).values_list("pk", flat=True))

    def with_component(self, rows: RunQuerySet, name: str, value: StepKind) -> QuerySet:
        return rows.with_step(self.tenant, "" if value.component == NO_COMPONENT else value.component, value.status)

    def with_tag(self, rows: QuerySet, name: str, value: list[tuple[str, str | None]]) -> QuerySet:
        return self._with_pairs(rows, RunTag, value)

    def with_tracked(self, rows: QuerySet, name: str, value: list[tuple[str, str | None]]) -> QuerySet:
        return self._with_pairs(rows, TrackedData, value)

    def _with_pairs(self, rows: QuerySet, model: Any, pairs: list[tuple[str, str | None]]) -> QuerySet:
        for pair in pairs:
            having = _of_pair(model.objects.of(self.tenant), pair)
            few = list(having.values_list("run_id", flat=True)[: FEW_RUNS + 1])
            is_few = len(few) <= FEW_RUNS
            is_once = model is RunTag or pair[1] is not None  # a run has it once at most
            has_pair = HasPair.of(_of_pair(_hanging_on_row(model), pair), having if is_once else None)
            rows = rows.filter(Q(pk__in=few) if is_few else has_pair)
        return rows

    def without_pairs(self, rows: QuerySet, name: str, value: list[tuple[str, str | None]]) -> QuerySet:
        model: Any = RunTag if name == "not_tag" else TrackedData
        for pair in value:
            rows = rows.exclude(Exists(_of_pair(_hanging_on_row(model), pair)))
        return rows

    def without_words(self, rows: QuerySet, name: str, value: list[str]) -> QuerySet:
        return rows.exclude(**{f"{name.removeprefix('not_')}__in": value}) if value else rows

    def with_level(self, rows: QuerySet, name: str, value: list[str]) -> QuerySet:
        if not value:
            return rows
        wanted = Q()
        for level in value:
            wanted |= Q(has_warnings=True) if level == "warning" else Q(error_count__gt=0)
        return rows.filter(wanted)

    def from_moment(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        # The list's own index begins the search; a run that has not started is not "started after".
        return rows.filter(ordered_at__gte=value, started_at__gte=value)

    def to_moment(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        return rows.filter(ordered_at__lt=value, started_at__lt=value)

    def on_day(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        day, end = day_around(value)
        return rows.filter(ordered_at__gte=day, ordered_at__lt=end, started_at__gte=day, started_at__lt=end)

    def from_order(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        """By the list's own time: a run that has not started counts by its making."""
        return rows.filter(ordered_at__gte=value)

    def to_order(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        return rows.filter(ordered_at__lt=value)

    def that_took(self, rows: QuerySet, name: str, value: int) -> QuerySet:
        """Runs that took so long, or have taken longer by now; both bounds at once.

        Few such runs are looked up by the index of durations; of many the list meets a page's worth soon.
        """
        asked = self.form.cleaned_data
        over, under = asked.get("duration_over"), asked.get("duration_under")
        if over is not None and under is not None and name == "duration_under":
            return rows  # done with the other
        took, runs = Q(), Run.objects.of(self.tenant)
        if over is not None:
            took &= Q(took_ms__gt=over)
        if under is not None:
            took &= Q(took_ms__lt=under)
        few = list(runs.filter(took).order_by().values_list("pk", flat=True)[: FEW_RUNS + 1])
        alive = Q(pk__in=())
        if under is None and over is not None:
            before = timezone.now() - timedelta(milliseconds=over)
            long = runs.live().filter(started_at__lt=before).order_by()
            alive = Q(pk__in=list(long.values_list("pk", flat=True)[:FEW_RUNS]))
        if len(few) <= FEW_RUNS:
            return rows.filter(alive | Q(pk__in=few))
        # Of the sum no index knows: that of durations would give most of the rows, to be sorted.
        length = F("took_ms") + 0
        took = Q(GreaterThan(length, over)) if over is not None else Q()
        return rows.filter(alive | (took & Q(LessThan(length, under)) if under is not None else took))

    def is_reviewed(self, rows: QuerySet, name: str, value: bool) -> QuerySet:
        return rows.filter(reviewed_at__isnull=not value)

    def is_unresolved(self, rows: QuerySet, name: str, value: bool) -> QuerySet:
        """Failed, and neither reviewed nor retried with success."""
        if not value:
            return rows.exclude(UNRESOLVED)
        if self.form.cleaned_data.get("reviewed") or not self._may_be_failed():
            return rows.none()
        return rows.filter(UNRESOLVED)

    def of_error(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """Runs that failed with an error of this kind, by its fingerprint; `none`: without a word."""
        if not self._may_be_failed():
            return rows.none()
        return rows.filter(status=Status.FAILED, error_fingerprint="" if value == NO_ERROR else value.lower())

    def _may_be_failed(self) -> bool:
        """Whether the question lets failed runs through: to ask for others would read all of them for nothing."""
        asked = self.form.cleaned_data
        return not asked.get("status") or Status.FAILED in asked["status"]

    def of_parent(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(parent_run__uid=value)

    def of_bulk(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """The runs that a bulk action took, and those that its retries made."""
        if not is_uuid(value):
            return rows.none()
        results = BulkResult.objects.of(self.tenant).filter(bulk__uuid=value).order_by()
        new = results.filter(new_run__isnull=False)
        return rows.filter(pk__in=results.values("run").union(new.values("new_run"), all=True))

    def matching(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """Runs that a text names: an id or its end, a tracked value, a tag's value, or a flow's name.

        The names are looked up by index first, so that a text that nothing matches costs no walk over the runs.
        """
        runs = Run.objects.of(self.tenant)
        found = set(runs.filter(uid=value).values_list("pk", flat=True))
        if len(value) == 8:
            found.update(runs.filter(uid_end=value.lower()).values_list("pk", flat=True)[:SEARCH_LIMIT])
        elif len(value) > 8:
            found.update(_with_uid_start(runs, value.lower()).values_list("pk", flat=True)[:SEARCH_LIMIT])
        for model in (TrackedData, RunTag):
            pairs = model.objects.of(self.tenant).filter(value=value).order_by("-run_id")
            found.update(pairs.values_list("run_id", flat=True)[:SEARCH_LIMIT])
        flows = Flow.objects.of(self.tenant).filter(Q(slug__icontains=value) | Q(name__icontains=value))
        flow_pks = list(flows.values_list("pk", flat=True)[:SEARCH_LIMIT])
        of_flows = list(runs.filter(flow_id__in=flow_pks).values_list("pk", flat=True)[: FEW_RUNS + 1])
        if len(of_flows) <= FEW_RUNS:
            return rows.filter(pk__in=found | set(of_flows))
        of_flow = Q(flow_id__in=flow_pks)
        return rows.filter(of_flow | Q(pk__in=found) if found else of_flow)

    def write_for_api(self) -> list[tuple[str, str]]:
        """The same question as the API takes it: parameters and values. The filter must be valid.

        A reader's day and times become moments in UTC, which is the API's only zone; `2h` ago stays so.
        """
        given = {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "", [])}
        if (day := given.pop("started_on", None)) is not None:
            begin, end = day_around(day)
            given["started_after"] = max(begin, given.get("started_after", begin))
            given["started_before"] = min(end, given.get("started_before", end))
        return [(name_for_api(name), text) for name, value in given.items() for text in _write(value)]


def _with_uid_start(runs: QuerySet, start: str) -> QuerySet:
    """Runs whose id begins so: LIKE alone would read every id. No sign of an id comes after z in any collation."""
    return runs.filter(uid__startswith=start, uid__gte=start, uid__lte=start.ljust(UID_MAX, "z"))


def _hanging_on_row(model: Any) -> QuerySet:
    """Those of the outer query's run, asked for by the run alone, which is known to be the tenant's."""
    rows: QuerySet = model.across_tenants.filter(run=OuterRef("pk"))
    return rows


def name_for_api(name: str) -> str:
    """The API's parameter for a filter of the pages: `status` is `filter[status]`."""
    return f"filter[{API_NAMES.get(name, name)}]"


def day_around(moment: datetime) -> tuple[datetime, datetime]:
    """The reader's day that a moment lies in: its midnight and the next, in UTC."""
    try:
        local = timezone.localtime(moment)
        day = timezone.make_aware(datetime.combine(date(local.year, local.month, local.day), time()))
        return day.astimezone(UTC), (day + timedelta(days=1)).astimezone(UTC)
    except OverflowError:  # the first or the last day of all
        return moment, moment


def _write(value: Any) -> list[str]:
    """A filter's value as the texts that it is read from again."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int):
        return [f"{value}ms"]
    if isinstance(value, Ago):
        return [value.period]
    if isinstance(value, datetime):
        return [value.astimezone(UTC).isoformat().replace("+00:00", "Z")]
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return [":".join(part for part in pair if part is not None) for pair in value]
    if isinstance(value, list):
        return [",".join(dict.fromkeys(value))]
    return [str(value)]


def _by_users(value: str) -> Q:
    """Runs of the users that are named; 0 is nobody: a schedule, an engine, or a user who is gone."""
    users = _users(value)
    found = Q(created_by_id__in=users)
    return found | Q(created_by_id=None) if 0 in users else found


def _users(value: str) -> list[int]:
    """The numbers of users that are named by number or name, several with commas."""
    parts = split_words(value)
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 19]
    return [*numbers, *User.objects.filter(username__in=parts).values_list("pk", flat=True)]


def _of_pair(rows: QuerySet, pair: tuple[str, str | None]) -> QuerySet:
    key, value = pair
    rows = rows.filter(key=key)
    return rows if value is None else rows.filter(value=value)
