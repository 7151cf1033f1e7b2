"""Who may import whom (the contracts in pyproject.toml), and the doors that only one module may open."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "runs_dashboard"

# What leads out of the product -> the modules that may use it. Everything else asks these.
HTTP_CLIENTS = {
    "httpx",
    "httpcore",
    "requests",
    "urllib.request",
    "urllib3",
    "http.client",
    "aiohttp",
    "socket.create_connection",
}
MAY_CALL_OUT = {"execution/outbound.py", "execution/connection.py"}
PROCESS_STARTERS = {
    "subprocess",
    "multiprocessing",
    "pty",
    "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell",
    "concurrent.futures.ProcessPoolExecutor",
    *(f"os.{name}" for name in ("system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp")),
    *(f"os.exec{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    *(f"os.spawn{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
}
MAY_START_PROCESSES = {
    "execution/launch.py",
    "management/processes.py",
    # Programs that bundled flows run as steps, so under the supervisor themselves.
    "chores/backup.py",
    "chores/manage.py",
}


def test_imports_go_one_way() -> None:
    # In a process of its own: it silences every logger of the one that it runs in.
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_only_one_module_talks_to_other_machines() -> None:
    assert set(find_users(HTTP_CLIENTS)) <= MAY_CALL_OUT, show(HTTP_CLIENTS, MAY_CALL_OUT)


def test_only_the_supervisor_starts_processes() -> None:
    assert set(find_users(PROCESS_STARTERS)) <= MAY_START_PROCESSES, show(PROCESS_STARTERS, MAY_START_PROCESSES)


@pytest.mark.parametrize(
    "source",
    [
        "import httpx",
        "import httpx._client as h",
        "from httpx import Client",
        "from urllib import request",
        "def later():\n    import http.client",
    ],
)
def test_the_census_sees_every_way_to_import(source: str) -> None:
    assert any(is_among(name, HTTP_CLIENTS) for name in names_used(ast.parse(source)))


@pytest.mark.parametrize("source", ["import os\nos.fork()", "from os import execv", "import asyncio as a"])
def test_the_census_tells_a_module_from_its_dangerous_names(source: str) -> None:
    found = [name for name in names_used(ast.parse(source)) if is_among(name, PROCESS_STARTERS)]

    assert bool(found) == ("asyncio" not in source)


def find_users(wanted: set[str]) -> Iterator[str]:
    """The paths, relative to the package, of the modules that use one of the names."""
    for path in PACKAGE.rglob("*.py"):
        if any(is_among(name, wanted) for name in names_used(ast.parse(path.read_text()))):
            yield path.relative_to(PACKAGE).as_posix()


def is_among(name: str, wanted: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in wanted)


def names_used(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports, or reaches as `module.name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def show(wanted: set[str], allowed: set[str]) -> str:
    return f"only {sorted(allowed)} may do this, found in {sorted(set(find_users(wanted)) - allowed)}"
