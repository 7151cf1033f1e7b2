"""What holds for every template, script and style sheet, so that the strict content policy breaks nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
OWN_TEMPLATES = [path for path in TEMPLATES if "admin" not in path.relative_to(ROOT / "templates").parts]
STATIC = sorted(path for path in (ROOT / "static").rglob("*") if path.is_file() and "vendor" not in path.parts)
FORBIDDEN = {
    "inline style": re.compile(r"\sstyle\s*=|<style", re.IGNORECASE),
    "inline script": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "inline handler": re.compile(r"\son[a-z]+\s*=|hx-on|javascript:", re.IGNORECASE),
    "code in an attribute": re.compile(r"hx-vals=['\"]?(js|javascript):|hx-trigger=\"[^\"]*\["),
    "something trusted unseen": re.compile(r"\|\s*safe\b|autoescape\s+off|mark_safe"),
    "another site": re.compile(r"(?:src|href|action)=[\"']?(?:https?:)?//"),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_has_no(path: Path, what: str) -> None:
    found = FORBIDDEN[what].search(path.read_text())
    assert found is None, f"{what}: {found[0]!r}"


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_can_be_read(path: Path) -> None:
    get_template(str(path.relative_to(ROOT / "templates")))


@pytest.mark.parametrize("path", OWN_TEMPLATES, ids=name)
def test_a_template_says_first_what_it_is_for(path: Path) -> None:
    assert re.match(r"\{# .+ #\}", path.read_text())


def test_every_template_is_used() -> None:
    sources = [path.read_text() for path in TEMPLATES]
    sources += [path.read_text() for path in (ROOT / "runs_dashboard").rglob("*.py")]
    by_framework = re.compile(r"^(registration/|admin/|\d{3}(_csrf)?\.html)")
    for path in TEMPLATES:
        wanted = str(path.relative_to(ROOT / "templates"))
        assert by_framework.match(wanted) or any(f'"{wanted}"' in source for source in sources), wanted


@pytest.mark.parametrize("path", STATIC, ids=name)
def test_a_static_file_asks_no_other_site_and_holds_no_style_or_code_of_pictures(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/", "")
    assert not re.search(r"https?://|url\(\s*[\"']?//|@import", text)
    if path.suffix == ".svg":
        assert not re.search(r"<style|<script|style=|\son[a-z]+=", text)
    if path.suffix == ".js":
        assert not re.search(r"\beval\(|new Function|document\.write|\.style\b|insertAdjacentHTML", text)


def test_every_picture_that_is_named_is_in_the_sprite() -> None:
    known = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static" / "icons.svg").read_text()))
    named = {found for path in TEMPLATES for found in re.findall(r'{% icon "([^"]+)"', path.read_text())}
    python = "\n".join(path.read_text() for path in (ROOT / "runs_dashboard" / "web").rglob("*.py"))
    named |= set(re.findall(r'"(s-[a-z]+)"', python))
    assert named <= known, named - known


def test_pages_only_name_style_classes_that_exist_in_some_sheet() -> None:
    sheets = "\n".join(path.read_text() for path in (ROOT / "static" / "css").glob("*.css"))
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", sheets)) | {"c-run", "c-size", "c-until", "run-page"}
    for path in OWN_TEMPLATES:
        for value in re.findall(r'class="([^"{}]*)"', path.read_text()):
            assert set(value.split()) <= known, f"{name(path)}: {set(value.split()) - known}"


def test_no_script_imports_another() -> None:
    """An import's address has no stamp: a browser would keep the old file for a year."""
    for path in STATIC:
        if path.suffix == ".js":
            assert not re.search(r"^\s*(import|export)\b", path.read_text(), re.MULTILINE), name(path)


def test_our_scripts_listen_before_htmx_asks_and_each_is_on_a_page() -> None:
    """A first answer, or a first error, would otherwise come before anybody takes it."""
    head = (ROOT / "templates" / "base.html").read_text()
    assert head.index("parts/scripts.html") < head.index("block page_scripts") < head.index("htmx.min.js")
    used = [script for path in TEMPLATES for script in re.findall(r"static 'js/([^']+\.js)'", path.read_text())]
    assert sorted(used) == sorted(path.name for path in (ROOT / "static" / "js").glob("*.js"))
