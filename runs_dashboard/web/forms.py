"""Forms of the account pages."""

from __future__ import annotations

import zoneinfo
from datetime import timedelta
from functools import cache

from django import forms

from ..models import Role, User

THEMES = ("", "light", "dark")
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "A year", "never": "Never"}


@cache
def zone_choices() -> list[tuple[str, str]]:
    """Every time zone that has a place's name, UTC first."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class AccountForm(forms.ModelForm):
    """Whose time the pages show, and how the person is called."""

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email", "time_zone"]
        help_texts = {"time_zone": "All times on the pages are in it; the log and the API keep UTC."}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"] = forms.ChoiceField(
            label="Time zone", choices=zone_choices, help_text=self.fields["time_zone"].help_text
        )
        for field in self.fields.values():
            field.widget.attrs["class"] = "in"


class KeyForm(forms.Form):
    """A new API key. role: of whoever makes it; `cleaned_data["lifetime"]` is a timedelta, or None for ever."""

    name = forms.CharField(max_length=100, help_text="What will use it, so that you know it again.")
    role = forms.ChoiceField(help_text="The key may do what this role may, and never more than you may yourself.")
    lifetime = forms.ChoiceField(label="Expires", choices=list(LIFETIMES.items()), initial="90")

    def __init__(self, *args, role: str, **kwargs) -> None:
        super().__init__(*args, auto_id="key-%s", **kwargs)
        self.fields["role"].choices = [(one.value, one.label) for one in Role if Role(role).covers(one)]
        self.fields["role"].initial = Role.VIEWER
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        for field in self.fields.values():
            field.widget.attrs["class"] = "in"

    def clean_lifetime(self) -> timedelta | None:
        days = self.cleaned_data["lifetime"]
        return timedelta(days=int(days)) if days.isdigit() else None
