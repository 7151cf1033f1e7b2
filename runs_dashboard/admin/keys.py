"""Keys and webhook secrets, shown once when they are made; what came with them, and what we call ourselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.template.response import TemplateResponse
from django.utils import timezone

from ..models import ApiKey, Membership, RetryCall, Role, WebhookDelivery, WebhookSecret
from .base import DateAndTime, OwnRelatedFilter, Window
from .people import UsernameField

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


class ShownOnce(Window):
    """Rows with a secret: the answer to the form that makes one shows it; nothing keeps it, no message and no page."""

    word: ClassVar[str]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"The new {self.word}",
            "opts": self.opts,
            "made": obj,
            "secret": obj.secret,
            "word": self.word,
        }
        return TemplateResponse(request, "admin/secret_made.html", context)


class FutureField(forms.SplitDateTimeField):
    """A time that is still to come."""

    widget = DateAndTime

    def clean(self, value: Any) -> Any:
        at = super().clean(value)
        if at is not None and at <= timezone.now():
            raise forms.ValidationError("That time is over.")
        return at


class KeyForm(forms.ModelForm):
    user = UsernameField(
        max_length=150, label="Username", help_text="Whose key: it never does more than its owner may."
    )
    expires_at = FutureField(required=False, help_text="Empty: it holds until it is revoked.")

    class Meta:
        model = ApiKey
        fields = ("tenant", "user", "name", "role", "expires_at")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        user, tenant, role = data.get("user"), data.get("tenant"), data.get("role")
        if user and tenant and role and not user.is_superuser:
            member = Membership.objects.of(tenant).filter(user=user).first()
            if member is None:
                self.add_error("user", f"{user.username} is not a member of {tenant}.")
            elif not member.may(role):
                self.add_error("role", f"{user.username} is {member.get_role_display().lower()} of {tenant}, not more.")
        return data


@admin.register(ApiKey)
class KeyWindow(ShownOnce):
    word = "key"
    may_add = True
    form = KeyForm
    list_display = ("prefix", "name", "user", "role", "kind", "tenant", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("kind", "role", ("tenant", OwnRelatedFilter))
    list_select_related = ("user", "tenant")
    search_fields = ("prefix__exact", "name")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("tenant", "user", "name", "role", "expires_at")
        made = ("created_at", "last_used_at", "expires_at", "revoked_at")
        return ("prefix", "tenant", "user", "name", "role", "kind", *made)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool) -> None:
        data = form.cleaned_data
        lifetime = data["expires_at"] - timezone.now() if data["expires_at"] else None
        key, secret = ApiKey.make(
            user=data["user"],
            tenant=data["tenant"],
            role=Role(data["role"]),
            name=data["name"],
            lifetime=lifetime,
            by=request.actor,  # type: ignore[attr-defined]
        )
        obj.__dict__.update(key.__dict__, secret=secret)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self._may(request, True)

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet) -> None:
        keys = list(queryset.filter(revoked_at=None))
        for key in keys:
            key.revoke(by=request.actor)  # type: ignore[attr-defined]
        self.message_user(request, f"{len(keys)} {'key' if len(keys) == 1 else 'keys'} revoked.", messages.SUCCESS)


@admin.register(WebhookSecret)
class WebhookSecretWindow(ShownOnce):
    word = "webhook secret"
    may_add = may_change = may_delete = True
    list_display = ("__str__", "flow", "created_at", "expires_at")
    list_filter = (("tenant", OwnRelatedFilter),)
    list_select_related = ("flow",)
    search_fields = ("flow__slug",)
    autocomplete_fields = ("flow",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("flow",) if obj is None else ("flow", "prefix", "created_at", "expires_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("flow", "prefix", "created_at")

    def save_model(self, request: HttpRequest, obj: WebhookSecret, form: forms.ModelForm, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        row, secret = WebhookSecret.make(form.cleaned_data["flow"], by=request.actor)  # type: ignore[attr-defined]
        obj.__dict__.update(row.__dict__, secret=secret)


@admin.register(WebhookDelivery)
class WebhookDeliveryWindow(Window):
    heavy = ("headers", "body")
    list_display = ("received_at", "flow", "status", "authorised_by", "prefix", "run", "is_repeat")
    list_filter = ("authorised_by", ("tenant", OwnRelatedFilter))
    list_select_related = ("flow", "run")
    search_fields = ("flow__slug",)


@admin.register(RetryCall)
class RetryCallWindow(Window):
    list_display = ("run", "address", "attempts", "next_at", "outcome")
    list_filter = (("tenant", OwnRelatedFilter),)
    list_select_related = ("run",)
    fields = ("run", "address", "start_at", "attempts", "next_at", "outcome")  # the whole url may hold a key
