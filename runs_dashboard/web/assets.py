"""Static files: every address carries a stamp of the file's content, so that a browser may keep it for a year."""

from __future__ import annotations

import hashlib
from functools import cache

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


@cache
def _stamp(name: str) -> str:
    path = finders.find(name)
    if not isinstance(path, str):
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:10]


class StampedStaticFilesStorage(StaticFilesStorage):
    """`css/base.css` is `/static/css/base.css?v=<stamp>`; no build and no collecting step is needed for it."""

    def url(self, name: str | None) -> str:
        address = super().url(name)
        stamp = _stamp(name or "")
        return f"{address}?v={stamp}" if stamp else address
