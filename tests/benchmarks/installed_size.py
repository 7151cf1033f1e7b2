"""What the packages of requirements.lock take on the disk, with their byte code."""

import subprocess
import sys

from ..product import ROOT
from .context import Context
from .table import Row

MEGABYTE = 1_000_000
BLOCK = 512  # bytes, the unit of st_blocks


def run(context: Context) -> list[Row]:
    folder = context.make_folder("installed")
    lock = ROOT / "requirements.lock"
    command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), "-r", str(lock)]
    subprocess.run(command, check=True)
    taken = sum(path.lstat().st_blocks * BLOCK for path in folder.rglob("*"))
    packages = len(list(folder.glob("*.dist-info")))
    return [Row("installed size", taken / MEGABYTE, "MB", "≤ 120", f"disk blocks of {packages} packages")]
