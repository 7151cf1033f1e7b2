"""`manage.py loadflows`: flows from YAML files, all of them or none."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.db import transaction

from ...definition.schema import Definition
from ...definition.yaml_source import DefinitionError, parse
from ...definition.yaml_tree import MAX_BYTES
from ...models import Flow
from ..plain_command import COMMAND_LINE, Error, PlainCommand, find_tenant

SUFFIXES = (".yaml", ".yml", ".json")


class Command(PlainCommand):
    help = "Creates or updates flows from YAML files. With a mistake in any of them nothing is loaded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder of .yaml files")
        parser.add_argument("--tenant", default="default", help="id of the tenant they are for (default)")

    def handle(self, *, paths: list[str], tenant: str, **options: Any) -> None:
        self.require_database()
        place = find_tenant(tenant)
        read: dict[str, tuple[Definition, str, str]] = {}
        problems: list[str] = []
        for path in paths:
            for file in _files(Path(path), problems):
                _read(file, read, problems)
        if problems:
            for problem in problems:
                self.stderr.write(problem)
            raise Error("Nothing was loaded.")
        with transaction.atomic():
            for definition, source, _ in read.values():
                flow, is_new = Flow.load(definition, tenant=place, by=COMMAND_LINE, source=source)
                number = flow.latest.number if flow.latest else 0
                self.stdout.write(f"{flow.slug}: {'now' if is_new else 'unchanged,'} version {number}")


def _files(path: Path, problems: list[str]) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if not found:
        problems.append(f"{path}: no {', '.join(SUFFIXES)} file is in this folder")
    return found


def _read(file: Path, read: dict[str, tuple[Definition, str, str]], problems: list[str]) -> None:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1)  # one more is refused by the parser, however much follows
        definition = parse(text, source=str(file))
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
    except DefinitionError as error:
        problems.append(str(error))
    else:
        if definition.id in read:
            problems.append(f"{file}: id: {definition.id} is also the id of {read[definition.id][2]}")
        else:
            read[definition.id] = (definition, text.decode("utf-8-sig"), str(file))
