"""Tenants, people and their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils.html import format_html

from ..models import AuditEntry, Membership, Tenant, User
from .base import OwnRelatedFilter, Window

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

admin.site.unregister(Group)  # rights come from roles alone: a group here would promise what nothing reads


class UsernameField(forms.CharField):
    """A person by the whole name: a list to choose from would show one tenant's people to another's admin."""

    def clean(self, value: Any) -> User:
        name = super().clean(value)
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise forms.ValidationError(f"There is no active user {name!r}.")
        return user


@admin.register(Tenant)
class TenantWindow(Window):
    is_for_superusers = True
    may_add = may_change = True
    list_display = ("name", "slug", "is_active", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    readonly_fields = ("uuid", "created_at")

    def record(self, request: HttpRequest, obj: Any, verb: str, **detail: Any) -> None:
        AuditEntry.record(f"tenant.{verb}", Membership(tenant=obj), by=request.actor, slug=obj.slug, **detail)  # type: ignore[attr-defined]


@admin.register(User)
class UserWindow(Window, UserAdmin):
    is_for_superusers = True
    may_add = may_change = True
    list_display = ("username", "first_name", "last_name", "email", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("password_page", "uuid", "last_login", "date_joined", "has_made_up_password")
    fieldsets = (
        (None, {"fields": ("username", "password_page", "first_name", "last_name", "email", "time_zone")}),
        ("Rights", {"fields": ("is_active", "is_superuser"), "description": "Roles are given by memberships."}),
        ("Kept by the product", {"fields": ("uuid", "last_login", "date_joined", "has_made_up_password")}),
    )

    @admin.display(description="Password")
    def password_page(self, user: User) -> str:
        return format_html('<a href="{}">Set a new one</a>', reverse("admin:auth_user_password_change", args=[user.pk]))

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        obj.is_staff = obj.is_superuser
        super().save_model(request, obj, form, change)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        answer = super().user_change_password(request, id, form_url)
        if request.method == "POST" and answer.status_code == 302:
            self.record(request, self.get_object(request, id), "password")
        return answer

    def record(self, request: HttpRequest, obj: Any, verb: str, **detail: Any) -> None:
        """In the trail of each tenant that the person belongs to."""
        for membership in Membership.across_tenants.filter(user=obj):
            AuditEntry.record(f"user.{verb}", membership, by=request.actor, user=obj.username, **detail)  # type: ignore[attr-defined]


class MembershipForm(forms.ModelForm):
    user = UsernameField(max_length=150, label="Username", help_text="The whole name with which the person signs in.")

    class Meta:
        model = Membership
        fields = ("tenant", "user", "role")


@admin.register(Membership)
class MembershipWindow(Window):
    may_add = may_change = may_delete = True
    list_display = ("user", "role", "tenant", "created_at")
    list_filter = ("role", ("tenant", OwnRelatedFilter))
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__first_name", "user__last_name")
    form = MembershipForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "user", "role") if obj is None else ("tenant", "user", "role", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("tenant", "user", "created_at")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if change:  # the person is fixed then; the field that takes a name is for new members
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("user", "tenant")
