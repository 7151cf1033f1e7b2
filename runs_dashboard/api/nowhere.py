"""Addresses of the API that are none, and requests that fail before a view is found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from django.views import defaults
from rest_framework.views import APIView

from .errors import NotThere, Problem, answer_error, error_response

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

ADDRESSES = r"^(?:api|webhooks|icenter|analytics|workflows|logs)(?:/|$)"
FAILED = "The server failed; its log says why."


class NowhereView(APIView):
    """404 in the API's one shape, for everybody and every method."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotThere


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 in the shape of the door that was asked for."""
    said = answer_error(exception, {}) if _is_of_api(request) else None
    return said or defaults.bad_request(request, exception)


def answer_failure(request: HttpRequest) -> HttpResponseBase:
    """The same for a mistake of our own, a 500: what failed is in our log and nowhere else."""
    if _is_of_api(request):
        return error_response(500, [Problem([], FAILED, "server_error")])
    return defaults.server_error(request)


def _is_of_api(request: HttpRequest) -> bool:
    return re.match(ADDRESSES, request.path_info.lstrip("/")) is not None
