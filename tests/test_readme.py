"""The README's two commands are all the set-up there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -q -r"


@pytest.mark.parametrize(
    ("heading", "command"),
    [
        ("Run it", f"{SET_UP} requirements.lock && .venv/bin/python manage.py up"),
        ("Test it", f"{SET_UP} requirements-dev.lock && .venv/bin/python -m tests"),
    ],
)
def test_a_heading_is_followed_by_one_block_with_one_command(heading: str, command: str) -> None:
    assert blocks_under(heading) == [command]


@pytest.mark.parametrize("name", ["README.md", "requirements.lock", "requirements-dev.lock", ".ci/run"])
def test_no_address_of_a_package_index_is_written_down(name: str) -> None:
    text = (ROOT / name).read_text()

    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|https?://\S+/simple\b", text)
    if name.startswith("requirements"):
        assert "://" not in text


def test_every_setting_is_explained() -> None:
    settings = (ROOT / "runs_dashboard" / "settings.py").read_text()
    read = set(re.findall(r"""\benv\.\w+\(\s*["'](\w+)["']""", settings))
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))

    assert "DATABASE_URL" in read
    assert explained == read


def blocks_under(heading: str) -> list[str]:
    """The contents of the code blocks between a heading and the next one."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", README, re.MULTILINE | re.DOTALL)
    assert section is not None, f"the README has no heading {heading!r}"
    return [block.strip() for block in re.findall(r"^```\w*\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)]
