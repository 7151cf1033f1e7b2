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
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from .models import EnvironmentVersion, Flow, Run, RunTag, Status, TrackedData, Trigger
from .text.intake import clean

SEARCH_LIMIT = 1_000  # runs that a text may name by key, tag or id
PAIR_TEXT = 100 + 1 + 255  # characters of a key, the sign between, and a value
API_NAMES = {"user": "user_id", "flow": "flow_id"}  # where programs (seed 3) say it otherwise than people
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


class MomentField(TextField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        return parse_moment(text) if text else None


class MomentFilter(django_filters.Filter):
    field_class = MomentField


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


class PairField(TextField):
    """`key:value` or `key=value`; a key alone asks for any value."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=PAIR_TEXT, **kwargs)

    def clean(self, value: Any) -> tuple[str, str | None] | None:
        text = super().clean(value)
        return split_pair(text) if text else None


def split_pair(text: str) -> tuple[str, str | None]:
    """The key and the value of `key:value` or `key=value`; no value where there is no sign between."""
    cut = min((place for place in (text.find(":"), text.find("=")) if place > 0), default=-1)
    if cut < 0:
        return text, None
    return text[:cut].strip(), text[cut + 1 :].strip()


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
    search = TextFilter(method="matching", label="Text")
    retried = BooleanFilter(field_name="is_retried", label="Retried")
    has_warnings = BooleanFilter(field_name="has_warnings", label="With warnings")
    reviewed = BooleanFilter(method="is_reviewed", label="Reviewed")
    parent_run_id = TextFilter(method="of_parent", label="Started by run")
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
        flows = Flow.objects.of(self.tenant).filter(slug__in=[part.strip() for part in value.split(",")])
        return rows.filter(flow_id__in=list(flows.values_list("pk", flat=True)))

    def of_user(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        if value.isascii() and value.isdigit():
            return rows.filter(created_by_id=int(value)) if len(value) < 19 else rows.none()
        return rows.filter(created_by__username=value)

    def of_version(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(version__uuid=value) if is_uuid(value) else rows.none()

    def in_environment(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        versions = EnvironmentVersion.objects.of(self.tenant)
        named = Q(environment__uuid=value) if is_uuid(value) else Q(environment__name=value)
        return rows.filter(environment_version_id__in=list(versions.filter(named).values_list("pk", flat=True)))

    def with_tag(self, rows: QuerySet, name: str, value: tuple[str, str | None]) -> QuerySet:
        return rows.filter(pk__in=_with_pair(RunTag, self.tenant, value))

    def with_tracked(self, rows: QuerySet, name: str, value: tuple[str, str | None]) -> QuerySet:
        return rows.filter(pk__in=_with_pair(TrackedData, self.tenant, value))

    def from_moment(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        # The list's own index begins the search; a run that has not started is not "started after".
        return rows.filter(ordered_at__gte=value, started_at__gte=value)

    def to_moment(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        return rows.filter(ordered_at__lt=value, started_at__lt=value)

    def on_day(self, rows: QuerySet, name: str, value: datetime) -> QuerySet:
        day, end = day_around(value)
        return rows.filter(ordered_at__gte=day, ordered_at__lt=end, started_at__gte=day, started_at__lt=end)

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
            found.update(runs.filter(uid__startswith=value.lower()).values_list("pk", flat=True)[:SEARCH_LIMIT])
        for model in (TrackedData, RunTag):
            pairs = model.objects.of(self.tenant).filter(value=value).order_by("-run_id")
            found.update(pairs.values_list("run_id", flat=True)[:SEARCH_LIMIT])
        flows = Flow.objects.of(self.tenant).filter(Q(slug__icontains=value) | Q(name__icontains=value))
        flow_pks = list(flows.values_list("pk", flat=True)[:SEARCH_LIMIT])
        named = Q(pk__in=found)
        return rows.filter(named | Q(flow_id__in=flow_pks) if flow_pks else named)

    def write_for_api(self) -> dict[str, str]:
        """The same question as the API takes it: parameter to value. The filter must be valid.

        A reader's day and times become moments in UTC, which is the API's only zone.
        """
        given = {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "", [])}
        if (day := given.pop("started_on", None)) is not None:
            begin, end = day_around(day)
            given["started_after"] = max(begin, given.get("started_after", begin))
            given["started_before"] = min(end, given.get("started_before", end))
        return {name_for_api(name): _write(value) for name, value in given.items()}


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


def _write(value: Any) -> str:
    """A filter's value as text that it is read from again."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        return ",".join(dict.fromkeys(value))
    if isinstance(value, tuple):
        return ":".join(part for part in value if part is not None)
    return str(value)


def _with_pair(model: Any, tenant: Any, pair: tuple[str, str | None]) -> QuerySet:
    key, value = pair
    rows = model.objects.of(tenant).filter(key=key)
    return (rows if value is None else rows.filter(value=value)).values("run_id")


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
