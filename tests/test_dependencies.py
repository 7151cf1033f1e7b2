"""The locks hold what pyproject.toml asks for: exact, with hashes, in the range."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PRODUCT = PROJECT["project"]["dependencies"]
DEVELOPMENT = PROJECT["dependency-groups"]["dev"]


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [("requirements.lock", PRODUCT), ("requirements-dev.lock", PRODUCT + DEVELOPMENT)],
)
def test_the_lock_pins_every_dependency_within_its_range(lock: str, wanted: list[str]) -> None:
    pins = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))

    for line in wanted:
        requirement = Requirement(line)
        assert requirement.name.lower() in pins, f"{requirement.name} is not in {lock}"
        assert requirement.specifier.contains(pins[requirement.name.lower()]), line


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_a_hash(lock: str) -> None:
    pins = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]

    assert pins
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
