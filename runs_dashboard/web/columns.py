"""Which columns a run list has: what the address says, else what the person chose, else the usual ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models import User
    from .run_question import RunQuestion

FIXED = ("status", "flow")  # a run is always known by them
OPTIONAL = {
    "trigger": "Trigger, by",
    "tracked": "Tracked, tags",
    "environment": "Environment",
    "version": "Version",
    "started": "Started",
    "ended": "Ended",
    "waited": "Waited",
    "duration": "Duration",
    "problems": "Problems",
    "lines": "Lines",
}
USUAL = ("trigger", "tracked", "started", "duration", "problems")
DENSITIES = ("roomy", "dense")


def read_columns(names: Any) -> list[str]:
    """The optional columns of a list of names, or of a text with commas: known ones, each once."""
    given = names.split(",") if isinstance(names, str) else names if isinstance(names, list) else []
    return [name for name in dict.fromkeys(given) if isinstance(name, str) and name in OPTIONAL]


def chosen_columns(user: User) -> list[str]:
    """What the person chose; the usual ones where nothing was."""
    chosen = _chosen(user)
    return read_columns(chosen["columns"]) if isinstance(chosen.get("columns"), list) else list(USUAL)


def shown_columns(question: RunQuestion, user: User) -> list[str]:
    """The optional columns of the list that the address shows to the person, in their order."""
    return read_columns(question.looks.get("columns", "")) or chosen_columns(user)


def density(user: User) -> str:
    chosen = _chosen(user).get("density")
    return chosen if chosen in DENSITIES else DENSITIES[0]


def choose(user: User, *, columns: list[str] | None = None, density: str | None = None) -> None:
    """Keeps the person's choice, for every browser; None leaves what there is."""
    kept = _chosen(user)
    if columns is not None:
        kept["columns"] = read_columns(columns)
    if density in DENSITIES:
        kept["density"] = density
    user.choose(run_list=kept)


def _chosen(user: User) -> dict[str, Any]:
    chosen = user.preferences.get("run_list")
    return dict(chosen) if isinstance(chosen, dict) else {}
