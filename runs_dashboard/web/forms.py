"""Forms of the account page."""

from __future__ import annotations

import zoneinfo
from functools import cache

from django import forms

from ..models import User

THEMES = ("", "light", "dark")


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
