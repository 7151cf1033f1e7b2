"""Triggers that write down every change of a table, for figures that must miss none.

In the database, since rows are changed in many ways (one by one, by the thousand, by hand), and a figure that misses
one of them is wrong for ever. They are made after the migrations, not by one: SQLite drops a table's triggers when a
migration rebuilds the table, and cannot rebuild one that another table's trigger names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connections, models, router

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.backends.base.base import BaseDatabaseWrapper

RUNS = "runs_dashboard_run"


@dataclass(frozen=True)
class TriggerSet:
    """The triggers whose names begin with `prefix`; a set is installed whole, and then counts what there is.

    target: what they write; tables: those they name; sqlite, postgres: name to the statements that make it; recount:
    counts the runs that there are afresh; clear: forgets the figures where there is no run.
    """

    prefix: str
    target: type[models.Model]
    tables: frozenset[str]
    sqlite: Callable[[], dict[str, str]]
    postgres: Callable[[], dict[str, str]]
    recount: Callable[[], Any]
    clear: Callable[[], None]

    def install(self, using: str = "default", **event: Any) -> None:
        """After the migrations: makes the triggers that are missing, and then counts afresh what there is."""
        connection = connections[using]
        if not router.allow_migrate_model(using, self.target):
            return
        with connection.cursor() as cursor:
            if not self.tables <= set(connection.introspection.table_names(cursor)):
                return  # the migrations were led back before the figures
            known = self._known(connection)
            wanted = self.sqlite() if connection.vendor == "sqlite" else self.postgres()
            for name, statement in wanted.items():
                if name not in known:
                    cursor.execute(statement)
            cursor.execute(f"SELECT 1 FROM {RUNS} LIMIT 1")  # noqa: S608  (a name of our own)
            has_runs = cursor.fetchone() is not None
        if not has_runs:
            self.clear()
        elif not known >= wanted.keys():
            self.recount()

    def remove(self, using: str = "default", plan: Any = (), **event: Any) -> None:
        """Before migrations on SQLite, which could not rebuild the tables otherwise; `install` makes them again."""
        connection = connections[using]
        if plan and connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                for name in self._known(connection):
                    cursor.execute(f"DROP TRIGGER {name}")

    def _known(self, connection: BaseDatabaseWrapper) -> set[str]:
        if connection.vendor == "sqlite":
            question = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s ESCAPE '!'"
        else:
            question = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE %s ESCAPE '!'"
        with connection.cursor() as cursor:
            cursor.execute(question, [f"{self.prefix}!_%"])
            return {row[0] for row in cursor.fetchall()}
