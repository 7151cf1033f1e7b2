"""What is copied from elsewhere is what its maker published, byte for byte."""

import hashlib
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
SUMS = sorted(VENDOR.glob("*/CHECKSUMS"))


def read_sums(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines()[1:]
    return {name: digest for digest, name in (line.split() for line in lines)}


@pytest.mark.parametrize("file", SUMS, ids=lambda file: file.parent.name)
def test_vendored_files_have_the_recorded_checksums(file: Path) -> None:
    for name, digest in read_sums(file).items():
        assert hashlib.sha256((file.parent / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("file", SUMS, ids=lambda file: file.parent.name)
def test_every_vendored_file_is_recorded_with_its_version_and_licence(file: Path) -> None:
    recorded = read_sums(file)
    assert {path.name for path in file.parent.iterdir()} == {*recorded, "CHECKSUMS"}
    assert "LICENSE" in recorded
    package, _, version = file.parent.name.rpartition("-")
    assert version in file.read_text().splitlines()[0]
    assert package in file.read_text().splitlines()[0]


def test_something_is_vendored() -> None:
    assert SUMS
