"""Where the database must not lie."""

from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from runs_dashboard.management.data_folder import UnfitFolder, check_data_folder, find_file_system

Mount = namedtuple("Mount", "mountpoint fstype")


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    known = [Mount("/", "ext4"), Mount(str(tmp_path / "share"), "nfs4"), Mount(str(tmp_path / "share/local"), "xfs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: known)
    return tmp_path


def test_a_network_file_system_is_refused_for_sqlite_only(mounts: Path) -> None:
    with pytest.raises(UnfitFolder, match=r"network file system \(nfs4\)"):
        check_data_folder(mounts / "share" / "data", holds_database=True)
    check_data_folder(mounts / "share" / "data", holds_database=False)


def test_the_deepest_mount_counts_and_a_similar_name_does_not(mounts: Path) -> None:
    assert find_file_system(mounts / "share" / "local" / "data") == "xfs"
    assert find_file_system(mounts / "shared") == "ext4"


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UnfitFolder, match="cannot be written: "):
        check_data_folder(tmp_path / "file" / "data", holds_database=True)
