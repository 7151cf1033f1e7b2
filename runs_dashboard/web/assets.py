"""Static files: every address carries a stamp of the file's content, so that a browser may keep it for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware


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


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise, with the file's bytes as the answer: Django under ASGI reads a plain file stream whole anyway,
    and warns of it. The largest of ours has some ten kilobytes."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        if found.file is not None:  # a file that was changed since the start has another length
            response["content-length"] = str(len(content))
        return response
