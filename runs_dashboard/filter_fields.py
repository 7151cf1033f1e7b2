"""What a filter takes: texts of an address read as moments, lengths of time, pairs and words, each bounded.

Who gives something else is told what would be right (a ValidationError).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from .models import Status
from .text.intake import clean
from .text.periods import is_period, read_period
from .text.run_query import split_pair

PAIR_TEXT = 100 + 1 + 255  # characters of a key, the sign between, and a value
MILLISECONDS_LIMIT = 253_402_300_799_000  # the end of year 9999
PAIRS_LIMIT = 10  # tags, or tracked data, that a run must have all


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


@dataclass(frozen=True)
class StepKind:
    """Steps of a component, of one status where it is said."""

    component: str
    status: str = ""

    def __str__(self) -> str:
        return f"{self.component}={self.status}" if self.status else self.component


class StepKindField(TextField):
    """A component, or a component and how its step stands: `http=failed`."""

    def clean(self, value: Any) -> StepKind | None:
        text = super().clean(value)
        component, sign, status = (part.strip() for part in text.rpartition("="))
        if not sign:
            return StepKind(status) if status else None
        if status not in Status.values or not component:
            raise ValidationError(f"Behind a component's = stands one of {', '.join(Status.values)}.")
        return StepKind(component, status)


class StepKindFilter(django_filters.Filter):
    field_class = StepKindField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_length=255, **kwargs)


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


def split_words(value: str) -> list[str]:
    """The parts between commas, without the spaces around them."""
    return [part.strip() for part in value.split(",")]


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
