"""What a key may do: each operation names the role that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission

if TYPE_CHECKING:
    from rest_framework.request import Request

    from .operations import ApiView


class RolePermission(BasePermission):
    """Closed by default: without a key nothing, with a key what its role covers. A method that is none is a 405."""

    def has_permission(self, request: Request, view: ApiView) -> bool:  # type: ignore[override]
        operation = view.get_operation()
        if operation is None or operation.role is None:
            return True
        if request.auth is None:
            raise NotAuthenticated
        if not request.auth.may(operation.role):
            raise PermissionDenied(f"This needs the role {operation.role}; the key has {request.auth.role}.")
        return True
