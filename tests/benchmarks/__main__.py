"""`python -m tests.benchmarks [name…] [--postgres] [--write]`: measure, and print a table.

A name is a module of this folder that has a function `run(context) -> list[Row]`.
"""

import argparse
import importlib
import pkgutil
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path

from ..postgres import PostgresServer
from . import table
from .context import Context

FRAME = {"__main__", "context", "table"}
README = Path(__file__).resolve().parents[2] / "README.md"


def main() -> int:
    known = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    names = [name for name in known if name not in FRAME]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(names))
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server made for it, not on SQLite")
    parser.add_argument("--write", action="store_true", help="put what was measured into the README")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(names)}")

    rows: list[table.Row] = []
    failed = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        server = stack.enter_context(PostgresServer()) if options.postgres else None
        context = Context(folder, server.url if server else None)
        stack.callback(context.make_product.close)
        for name in options.names or names:
            began = time.monotonic()
            try:
                found = importlib.import_module(f"{__package__}.{name}").run(context)
            except Exception:  # noqa: BLE001  (the others are measured all the same, and the exit status tells)
                traceback.print_exc()
                failed.append(name)
                continue
            rows += found
            print(f"{name} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    print(table.render(rows), end="")
    if options.write and rows:
        database = "postgres" if options.postgres else "sqlite"
        table.write_into(README, rows, database, is_whole=not options.names and not failed)
    if failed:
        print(f"Not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
