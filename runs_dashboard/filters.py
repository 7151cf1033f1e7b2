"""What can be asked of lists: one FilterSet a noun, the same for pages and API.

Every name here is a name in the address of a page (`?status=failed`) and, as `name_for_api` says, in the API
(`filter[status]=failed`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.lookups import GreaterThan, LessThan
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from .models import EnvironmentVersion, Flow, Run, RunTag, Status, TrackedData, Trigger, User
from .text.intake import clean
from .text.periods import is_period, read_period
from .text.run_query import split_pair

PAIRS_LIMIT = 10  # tags, or tracked data, that a run must have all
FEW_RUNS = 2_000  # that are so: fewer are looked up, more are met on the way through the list
UID_MAX = 255  # characters
SEARCH_LIMIT = 1_000  # runs that a text may name by key, tag or id
PAIR_TEXT = 100 + 1 + 255  # characters of a key, the sign between, and a value
API_NAMES = {"user": "user_id", "flow": "flow_id"}  # where programs (seed 3) say it otherwise than people
LEVELS = (("warning", "Warnings"), ("error", "Errors"))
MILLISECONDS_LIMIT = 253_402_300_799_000  # the end of year 9999


def parse_moment(text: str) -> datetime:
    """ISO 8601, or Unix milliseconds (seed 3), as an aware time. Raises ValidationError.

    A date alone is its midnight, a time without zone is in the reader's zone.
    """
    text = text.strip()
    wrong = ValidationError("Give an ISO 8601 time such as 2026-03-01T19:00:00Z, or Unix milliseconds.")
    try:
        if text.lstrip("-").isdigit() and len(text.lstrip("-")) > 4:
            if len(text) > 16 or not 0 <= int(text) <= MILLISECONDS_LIMIT:
                raise wrong
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = parse_datetime(
            text.replace(" ", "+") if "+" not in text and text.count(" ") == 1 and "T" in text else text
        )
        if moment is None:
            day = parse_date(text)
            if day is None:
                raise wrong
            moment = datetime.combine(day, time())
        if timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None


class TextField(forms.CharField):
    """Text as the store keeps it: without NUL (which no value has) and without lone surrogates."""

    default_validators: list[Any] = []

    def to_python(self, value: Any) -> Any:
        return super().to_python(clean(value) if isinstance(value, str) else value)


class Ago(datetime):
    """The moment so long ago; `period` is the text that said it, and stays true tomorrow."""

    period = ""

    @classmethod
    def of(cls, period: str) -> Ago:
        ago = cls.fromtimestamp(timezone.now().timestamp() - parse_length(period) / 1000, UTC)
        ago.period = period
        return ago


class MomentField(TextField):
    """A moment, or a length of time such as `2h`: the moment so long ago."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        return Ago.of(text) if is_period(text) else parse_moment(text)


class MomentFilter(django_filters.Filter):
    field_class = MomentField


def parse_length(text: str) -> int:
    """Milliseconds. Raises ValidationError."""
    try:
        return read_period(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class LengthField(TextField):
    """A length of time such as `90s` or `5m`, in milliseconds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        return parse_length(text) if text else None


class LengthFilter(django_filters.Filter):
    field_class = LengthField


class ManyWidget(forms.SelectMultiple):
    """Repeated values or one with commas: a form sends the first, a program the second."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        values = data.getlist(name) if hasattr(data, "getlist") else [data.get(name, "")]
        return [part.strip() for value in values if value for part in str(value).split(",") if part.strip()]


class ManyFilter(django_filters.Filter):
    """Any of some known words. (MultipleChoiceFilter would ask for DISTINCT, which no index answers.)"""

    field_class = forms.MultipleChoiceField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", ManyWidget)
        super().__init__(*args, **kwargs)

    def filter(self, qs: QuerySet, value: list[str]) -> QuerySet:
        if not value:
            return qs
        return qs.filter(**{f"{self.field_name}__in": value} if len(value) > 1 else {self.field_name: value[0]})


class RepeatedWidget(forms.TextInput):
    """Every value that was given under the name; a value may hold commas."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        values = data.getlist(name) if hasattr(data, "getlist") else data.get(name, [])
        return [values] if isinstance(values, str) else list(values)


class PairField(TextField):
    """`key:value` or `key=value`; a key alone asks for any value. Given several times, all must fit."""

    widget = RepeatedWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=PAIR_TEXT, **kwargs)

    def clean(self, value: Any) -> list[tuple[str, str | None]]:
        if len(value) > PAIRS_LIMIT:
            raise ValidationError(f"At most {PAIRS_LIMIT} at a time.")
        texts = [super(PairField, self).clean(one) for one in value]
        return [split_pair(text) for text in texts if text]


class PairFilter(django_filters.Filter):
    field_class = PairField


class BooleanField(forms.NullBooleanField):
    """true or false, and nothing else: a typing mistake must not silently mean "all"."""

    WORDS = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "": None,
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Select(choices=[("", "Any"), ("true", "Yes"), ("false", "No")]))
        super().__init__(**kwargs)

    def clean(self, value: Any) -> bool | None:
        word = str(value if value is not None else "").strip().lower()
        if word not in self.WORDS:
            raise ValidationError("Give true or false.")
        return self.WORDS[word]


class BooleanFilter(django_filters.Filter):
    field_class = BooleanField


class TextFilter(django_filters.CharFilter):
    field_class = TextField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)


class RunFilter(django_filters.FilterSet):
    """Which runs. `queryset` must be one tenant's; the tenant is read from it."""

    status = ManyFilter(choices=Status.choices)
    flow = TextFilter(method="of_flow", label="Flow")
    trigger = ManyFilter(choices=Trigger.choices)
    user = TextFilter(method="of_user", label="User")
    tag = PairFilter(method="with_tag", label="Tag")
    tracked = PairFilter(method="with_tracked", label="Tracked data")
    environment = TextFilter(method="in_environment", label="Environment")
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
    pinned = BooleanFilter(field_name="is_pinned", label="Pinned")
    parent_run_id = TextFilter(method="of_parent", label="Started by run")
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

    class Meta:
        model = Run
        fields: list[str] = []

    def __init__(self, *args: Any, tenant: Any, **kwargs: Any) -> None:
        self.tenant = tenant
        super().__init__(*args, **kwargs)

    def of_flow(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(flow_id__in=self._flows(value))

    def without_flow(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.exclude(flow_id__in=self._flows(value))

    def _flows(self, value: str) -> list[int]:
        flows = Flow.objects.of(self.tenant).filter(slug__in=_split(value))
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

    def with_tag(self, rows: QuerySet, name: str, value: list[tuple[str, str | None]]) -> QuerySet:
        return self._with_pairs(rows, RunTag, value)

    def with_tracked(self, rows: QuerySet, name: str, value: list[tuple[str, str | None]]) -> QuerySet:
        return self._with_pairs(rows, TrackedData, value)

    def _with_pairs(self, rows: QuerySet, model: Any, pairs: list[tuple[str, str | None]]) -> QuerySet:
        for pair in pairs:
            runs = _of_pair(model.objects.of(self.tenant), pair).values_list("run_id", flat=True)
            few = list(runs[: FEW_RUNS + 1])
            is_few = len(few) <= FEW_RUNS
            rows = rows.filter(Q(pk__in=few) if is_few else Exists(_of_pair(_hanging_on_row(model), pair)))
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

    def of_parent(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(parent_run__uid=value)

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


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _by_users(value: str) -> Q:
    """Runs of the users that are named; 0 is nobody: a schedule, an engine, or a user who is gone."""
    users = _users(value)
    found = Q(created_by_id__in=users)
    return found | Q(created_by_id=None) if 0 in users else found


def _users(value: str) -> list[int]:
    """The numbers of users that are named by number or name, several with commas."""
    parts = _split(value)
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 19]
    return [*numbers, *User.objects.filter(username__in=parts).values_list("pk", flat=True)]


def _of_pair(rows: QuerySet, pair: tuple[str, str | None]) -> QuerySet:
    key, value = pair
    rows = rows.filter(key=key)
    return rows if value is None else rows.filter(value=value)


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in its one canonical spelling."""
    digits = text.replace("-", "")
    is_shaped = len(text) == 36 and [place for place, sign in enumerate(text) if sign == "-"] == [
        8,
        13,
        18,
        23,
    ]
    return is_shaped and len(digits) == 32 and all(sign in "0123456789abcdef" for sign in digits)
