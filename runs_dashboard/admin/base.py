"""What the admin's windows share: whose rows are shown, what may be done, and lists that never count a large table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime, AutocompleteSelect
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Prefetch
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html

from ..admin_site import own_tenants
from ..models import AuditEntry, Run, Tenant
from ..models.tenant import TenantRow

if TYPE_CHECKING:
    from django.forms import ModelForm
    from django.http import HttpRequest


def shown_tenants(request: HttpRequest) -> list[int]:
    """The primary keys of the tenants whose rows the person is shown."""
    own = own_tenants(request)
    return list(Tenant.objects.order_by("pk").values_list("pk", flat=True)) if own is None else sorted(own)


class CappedPaginator(Paginator):
    """Counts no further than COUNT_LIMIT; what lies beyond is reached by filters."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return rows.order_by().values("pk")[: settings.COUNT_LIMIT].count()


class OwnRelatedFilter(admin.RelatedFieldListFilter):
    """A filter whose choices are the person's own tenants' rows."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = own_tenants(request)
        limit: dict[str, Any] = {}
        if own is not None:
            limit = {"pk__in" if field.related_model is Tenant else "tenant_id__in": own}
        ordering = self.field_admin_ordering(field, request, model_admin)
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=limit)


class DateAndTime(AdminSplitDateTime):
    """The admin's two fields of a moment, each with a name of its own for who does not see them side by side."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        for part, word in zip(context["widget"]["subwidgets"], ("Date", "Time"), strict=True):
            part["attrs"]["aria-label"] = word
        return context


class NamedAutocomplete(AutocompleteSelect):
    """The admin's field that completes; until something is chosen, its text is its name."""

    def build_attrs(self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None) -> dict[str, Any]:
        attrs = super().build_attrs(base_attrs, extra_attrs=extra_attrs)
        return {**attrs, "data-placeholder": f"Choose a {self.field.verbose_name}"}


class Window(admin.ModelAdmin):
    """A model in the admin. What may be done is said by three words; everything else is for looking."""

    may_add: ClassVar[bool] = False
    may_change: ClassVar[bool] = False
    may_delete: ClassVar[bool] = False
    is_for_superusers: ClassVar[bool] = False
    heavy: ClassVar[tuple[str, ...]] = ()  # columns that a list does not read

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count
    list_per_page = 50
    list_max_show_all = 50
    ordering = ("-pk",)
    sortable_by: Any = ()  # a list in another order would sort the whole table
    save_on_top = False
    formfield_overrides = {models.DateTimeField: {"form_class": forms.SplitDateTimeField, "widget": DateAndTime}}

    # --- rights -------------------------------------------------------------------------------------------------

    def _may(self, request: HttpRequest, is_allowed: bool) -> bool:
        if self.is_for_superusers and not request.user.is_superuser:
            return False
        return is_allowed and self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, True)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, True)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, self.may_add)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.may_change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.may_delete)

    # --- rows ---------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request)
        own = own_tenants(request)
        if own is not None and issubclass(self.model, TenantRow):
            rows = rows.filter(tenant_id__in=own)
        match = request.resolver_match
        if match is not None and (match.url_name or "").endswith("_changelist"):
            rows = rows.defer(*self.heavy).prefetch_related(*self._prefetches())
        return rows

    def get_list_select_related(self, request: HttpRequest) -> tuple[str, ...]:
        """None: what a list shows of other rows is fetched after it. SQLite began a join at its small end and sorted
        the whole large table (10 s at 1,000,000 runs)."""
        return ()

    def _prefetches(self) -> list[Prefetch]:
        names: Any = self.list_select_related or ()
        related = [(name, self.opts.get_field(name).related_model) for name in names]
        slim = Run.across_tenants.only("uid", "tenant_id")
        return [Prefetch(name, slim if model is Run else None) for name, model in related]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By tenant as well, as the indexes of what is searched whole are."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if search_term.strip() and issubclass(self.model, TenantRow):
            found = found.filter(tenant_id__in=shown_tenants(request))
        return found, may_repeat

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only rows of the person's own tenants can be chosen, or typed as a number."""
        own = own_tenants(request)
        related = db_field.remote_field.model
        if related is Tenant:
            kwargs["queryset"] = Tenant.objects.all() if own is None else Tenant.objects.filter(pk__in=own)
            kwargs["initial"] = request.tenant and request.tenant.pk  # type: ignore[attr-defined]
        elif issubclass(related, TenantRow):
            rows = related.across_tenants.all()
            kwargs["queryset"] = rows if own is None else rows.filter(tenant_id__in=own)
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = NamedAutocomplete(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.is_relation:
            # Nobody makes a tenant or a flow in a small window beside a key.
            for word in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                setattr(field.widget, word, False)
        return field

    # --- the audit trail ----------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self.record(request, obj, "edit" if change else "create", fields=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.record(request, obj, "delete", name=str(obj))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def record(self, request: HttpRequest, obj: Any, verb: str, **detail: Any) -> None:
        """Notes an act in the audit trail."""
        AuditEntry.record(f"{self.opts.model_name}.{verb}", obj, by=request.actor, **detail)  # type: ignore[attr-defined]


def link(text: Any, name: str, *args: Any, anchor: str = "") -> str:
    """A link to a page of the product."""
    return format_html('<a href="{}{}">{}</a>', reverse(name, args=args), anchor and f"#{anchor}", text)


def link_to_list(text: str, model: type[models.Model], **query: Any) -> str:
    """A link to a list of the admin, filtered."""
    name = f"admin:runs_dashboard_{model._meta.model_name}_changelist"
    return format_html('<a href="{}?{}">{}</a>', reverse(name), urlencode(query), text)
