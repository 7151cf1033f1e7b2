"""The data folder: is it a place where the database can live?"""

import os
import tempfile
from pathlib import Path

import psutil

# File systems that other machines serve. SQLite's write-ahead log needs memory shared by all who have the file open.
NETWORK_TYPES = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb2", "smb3", "smbfs"}
    | {"davfs", "fuse.davfs2", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "webdav"}
)


class UnfitFolder(Exception):
    """The folder cannot be used; the message says why and what to do."""


def check_data_folder(folder: Path, *, holds_database: bool) -> None:
    """Makes the folder (mode 0700) and tries it. Raises UnfitFolder.

    holds_database: an SQLite database will lie in it, so it must not be on a network file system.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise UnfitFolder(
            f"The data folder {folder} cannot be written: {error.strerror}. Name another one with --data-dir."
        ) from error
    kind = find_file_system(folder)
    if holds_database and kind in NETWORK_TYPES:
        raise UnfitFolder(
            f"The data folder {folder} is on a network file system ({kind}), where SQLite loses data. "
            "Name a folder on a local disk with --data-dir, or a PostgreSQL database with DATABASE_URL."
        )


def find_file_system(folder: Path) -> str:
    """The type of the file system that holds the folder (`ext4`, `nfs4`); empty where the system does not say."""
    place = os.path.realpath(folder)
    kind, best = "", -1
    for mount in psutil.disk_partitions(all=True):
        point = mount.mountpoint.rstrip("/")
        # Later mounts of the same place cover the earlier ones.
        if (place == point or place.startswith(point + "/")) and len(point) >= best:
            kind, best = mount.fstype.lower(), len(point)
    return kind
