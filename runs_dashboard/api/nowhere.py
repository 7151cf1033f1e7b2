"""Addresses of the API that are none."""

from __future__ import annotations

from typing import NoReturn

from rest_framework.views import APIView

from .errors import NotThere


class NowhereView(APIView):
    """404 in the API's one shape, for everybody and every method."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotThere
