"""Flows, by their YAML text; environments, by their variables. Saving publishes a version."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml
from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.urls import reverse

from ..definition.yaml_source import DefinitionError, parse
from ..models import AuditEntry, Environment, EnvironmentVersion, Flow, FlowVersion, Run
from .base import OwnRelatedFilter, Window, link, link_to_list

if TYPE_CHECKING:
    from django.http import HttpRequest

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
CODE = {"rows": 28, "class": "vLargeTextField code", "spellcheck": "false", "wrap": "off"}


class VersionedForm(forms.ModelForm):
    """A form that notices when somebody else has published a version since it was opened."""

    based_on = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        latest = self.instance.latest if self.instance.pk else None
        self.fields["based_on"].initial = latest.number if latest else 0

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        latest = self.instance.latest if self.instance.pk else None
        number = latest.number if latest else 0
        if (data.get("based_on") or 0) != number:
            raise forms.ValidationError(
                f"Version {number} was published by somebody else meanwhile. Keep your text, open this page anew."
            )
        return data


class FlowForm(VersionedForm):
    source = forms.CharField(
        widget=forms.Textarea(CODE),
        strip=False,
        max_length=256 * 1024,
        help_text="The flow as YAML. Saving it makes a version.",
    )

    class Meta:
        model = Flow
        fields = ("tenant", "is_enabled", "is_schedule_paused")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["source"].initial = source_of(self.instance)

    def clean_source(self) -> str:
        source = self.cleaned_data["source"].replace("\r\n", "\n")
        try:
            self.definition = parse(source, source="")
        except DefinitionError as error:
            raise forms.ValidationError(
                [f"Line {problem.line}: {problem}" if problem.line else str(problem) for problem in error.problems[:50]]
            ) from error
        if self.instance.pk and self.definition.id != self.instance.slug:
            raise forms.ValidationError(f"The id of a flow never changes: it is {self.instance.slug}.")
        return source

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        definition, tenant = getattr(self, "definition", None), data.get("tenant")
        is_new = definition is not None and tenant is not None and not self.instance.pk
        if is_new and Flow.objects.of(tenant).filter(slug=definition.id).exists():
            self.add_error("source", f"There is a flow {definition.id} already: change that one.")
        return data


def source_of(flow: Flow) -> str:
    """The flow's YAML as it was written, else as its definition says it."""
    if flow.latest is None:
        return ""
    if flow.latest.source:
        return flow.latest.source
    return yaml.safe_dump(flow.latest.definition, sort_keys=False, allow_unicode=True, width=110)


@admin.register(Flow)
class FlowWindow(Window):
    may_add = may_change = True
    form = FlowForm
    list_display = ("slug", "name", "flow_type", "version", "is_enabled", "is_schedule_paused", "next_run_at", "page")
    list_filter = ("is_enabled", "flow_type", "is_external", ("tenant", OwnRelatedFilter))
    list_select_related = ("latest",)
    search_fields = ("slug", "name")
    ordering = ("slug",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("tenant", "source", "based_on")
        links = ("next_run_at", "versions_link", "runs_link", "updated_at", "based_on")
        return ("slug", "tenant", "name", "source", "is_enabled", "is_schedule_paused", *links)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("slug", "tenant", "name", "next_run_at", "versions_link", "runs_link", "updated_at")

    def view_on_site(self, flow: Flow) -> str:
        return reverse("flow_detail", args=[flow.slug])

    @admin.display(description="Version")
    def version(self, flow: Flow) -> str:
        return f"v{flow.latest.number}" if flow.latest else "–"

    @admin.display(description="Page")
    def page(self, flow: Flow) -> str:
        return link("open", "flow_detail", flow.slug)

    @admin.display(description="Versions")
    def versions_link(self, flow: Flow) -> str:
        return link_to_list("All versions", FlowVersion, flow__id__exact=flow.pk)

    @admin.display(description="Runs")
    def runs_link(self, flow: Flow) -> str:
        return link_to_list("All runs", Run, flow__id__exact=flow.pk)

    def save_model(self, request: HttpRequest, obj: Flow, form: FlowForm, change: bool) -> None:  # type: ignore[override]
        by = request.actor  # type: ignore[attr-defined]
        data = form.cleaned_data
        with transaction.atomic():
            if not change:
                flow, is_new = Flow.load(form.definition, tenant=data["tenant"], by=by, source=data["source"])
            else:
                flow = Flow.across_tenants.select_for_update().select_related(None).get(pk=obj.pk)
                self._save_switches(flow, form, by)
                is_new = flow.publish(form.definition, by=by, source=data["source"])
            obj.__dict__.update(flow.__dict__)
        if is_new and flow.latest is not None:
            self.message_user(request, f"Version {flow.latest.number} is published.", messages.SUCCESS)

    def _save_switches(self, flow: Flow, form: FlowForm, by: Any) -> None:
        """What is not part of the definition, each by its own verb where it has one."""
        data = form.cleaned_data
        if flow.is_schedule_paused != data["is_schedule_paused"]:
            (flow.pause_schedule if data["is_schedule_paused"] else flow.resume_schedule)(by=by)
        if flow.is_enabled != data["is_enabled"]:
            flow.is_enabled = data["is_enabled"]
            flow.save(update_fields=["is_enabled", "updated_at"])
            AuditEntry.record("flow.edit", flow, by=by, fields=["is_enabled"])


@admin.register(FlowVersion)
class FlowVersionWindow(Window):
    heavy = ("definition", "source")
    list_display = ("flow", "number", "created_at", "created_by")
    list_select_related = ("flow", "created_by")
    search_fields = ("flow__slug__exact",)
    search_help_text = "The whole id of a flow."


class EnvironmentForm(VersionedForm):
    variables = forms.CharField(
        widget=forms.Textarea(CODE | {"rows": 16}),
        max_length=256 * 1024,
        initial="{}",
        help_text='A JSON object of texts, e.g. {"SHOP_URL": "https://shop.example"}. Saving it makes a version. '
        "Secrets do not belong here: everybody who sees runs sees these.",
    )

    class Meta:
        model = Environment
        fields = ("tenant", "name", "description")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        latest = self.instance.latest if self.instance.pk else None
        if latest is not None:
            self.fields["variables"].initial = json.dumps(latest.variables, indent=2, ensure_ascii=False)

    def clean_variables(self) -> dict[str, str]:
        try:
            value = json.loads(self.cleaned_data["variables"])
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"This is no JSON: line {error.lineno}: {error.msg}.") from error
        except (ValueError, RecursionError):
            raise forms.ValidationError("This is no JSON object of texts.") from None
        if not isinstance(value, dict):
            raise forms.ValidationError("A JSON object is wanted: names and their texts.")
        wrong = [name for name in value if not VARIABLE.fullmatch(name)]
        if wrong:
            raise forms.ValidationError(f"{wrong[0]!r} is no name of a variable: letters, digits and underscores.")
        odd = [
            name for name, text in value.items() if not isinstance(text, str | int | float) or isinstance(text, bool)
        ]
        if odd:
            raise forms.ValidationError(f"The value of {odd[0]} is neither a text nor a number.")
        return {name: str(text) for name, text in value.items()}


@admin.register(Environment)
class EnvironmentWindow(Window):
    may_add = may_change = True
    form = EnvironmentForm
    list_display = ("name", "description", "version", "tenant", "created_at")
    list_filter = (("tenant", OwnRelatedFilter),)
    list_select_related = ("latest", "tenant")
    search_fields = ("name", "description")
    ordering = ("name",)
    fields = ("tenant", "name", "description", "variables", "based_on")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("tenant", "name")

    @admin.display(description="Version")
    def version(self, environment: Environment) -> str:
        return f"v{environment.latest.number}" if environment.latest else "–"

    def save_model(self, request: HttpRequest, obj: Environment, form: forms.ModelForm, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            obj.publish(form.cleaned_data["variables"], by=request.actor)  # type: ignore[attr-defined]


@admin.register(EnvironmentVersion)
class EnvironmentVersionWindow(Window):
    list_display = ("environment", "number", "created_at", "created_by")
    list_select_related = ("environment", "created_by")
    search_fields = ("environment__name__exact",)
    search_help_text = "The whole name of an environment."
