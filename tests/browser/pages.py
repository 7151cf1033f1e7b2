"""Every page there is: a new route is either a page, with its addresses here, or named among what is none."""

from __future__ import annotations

from typing import Any

# Addresses of each page, filled with what the world holds (world.py).
PAGES = {
    "run_list": (
        "/runs/?view=all",
        "/runs/?status=failed&columns=duration,lines",
        "/runs/?flow=nothing",
        "/runs/?q=x:",
    ),
    "run_detail": ("/runs/{uid}/", "/runs/{live}/", "/runs/{stopping}/", "/runs/{paused}/", "/runs/{other}/"),
    "run_retry": ("/runs/{uid}/retry/",),
    "run_payload": ("/runs/{uid}/payloads/{payload}/",),
    "run_values": ("/runs/{uid}/values/inputs/", "/runs/{uid}/values/outputs/"),
    "run_compare": ("/runs/{uid}/compare/", "/runs/{uid}/compare/?with={other}"),
    "note_edit": ("/runs/{uid}/notes/{note}/",),
    "bulk_list": ("/bulk/",),
    "bulk_new": ("/bulk/new/?act=retry&status=failed", "/bulk/new/?act=review&status=failed", "/bulk/new/?act=stop"),
    "bulk_detail": ("/bulk/{bulk}/",),
    "inbox": ("/inbox/", "/inbox/?flow=nothing", "/inbox/?sort=count"),
    "flow_list": ("/flows/", "/flows/?search=nothing"),
    "flow_detail": ("/flows/{slug}/",),
    "flow_versions": ("/flows/{slug}/versions/",),
    "flow_version": ("/flows/{slug}/versions/2/",),
    "delivery_list": ("/flows/{slug}/deliveries/",),
    "delivery_detail": ("/flows/{slug}/deliveries/{delivery}/",),
    "view_list": ("/views/",),
    "search": ("/search/", "/search/?q=line+1", "/search/?q=nothing-like-this"),
    "storage": ("/storage/",),
    "insights": ("/insights/",),
    "download_list": ("/downloads/",),
    "account": ("/account/",),
    "key_list": ("/account/keys/",),
    "help": ("/help/",),
    "password_change": ("/account/password/",),
    "password_change_done": ("/account/password/done/",),
    "api-docs": ("/api/v1/docs",),
}
PASSWORD = "correct horse battery staple"  # of the world's people
ZONE = "Asia/Kolkata"  # of its admin
# Seen by who has not signed in.
OUTSIDE = {"login": ("/login/", "/login/?next=/runs/")}
ERRORS = ("/runs/there-is-none/", "/flows/there-is-none/", "/nothing/here/")
# What a page leads to, asks for or posts: a redirect, a fragment, a file, JSON, or an act.
NO_PAGES = {
    *("home", "logout"),
    *(
        "run_status",
        "run_log",
        "run_go",
        "run_marks",
        "run_find",
        "run_list_live",
        "suggestions",
        "jump",
        "download_list_live",
        "inbox_live",
    ),
    *("run_stop", "run_resume", "run_review", "run_pin", "run_download", "act_on_runs"),
    *("flow_start", "flow_schedule", "secret_make", "secret_revoke", "delivery_resend"),
    *("view_keep", "view_first", "view_change", "view_delete", "key_revoke"),
    *("run_related", "run_notes", "note_write", "note_delete", "bulk_abort", "bulk_csv", "bulk_list_live", "bulk_live"),
    *("insights_csv", "run_value_json", "run_payload_body", "download_content", "download_again", "run_list_csv"),
    *("set_theme", "set_run_list", "set_log_display", "set_tenant"),
}


EVERY_PAGE = [address for addresses in (*PAGES.values(), ERRORS) for address in addresses]  # still to be filled


def fill(address: str, world: dict[str, Any]) -> str:
    return address.format(**world)
