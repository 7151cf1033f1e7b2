"""The Django admin: windows with few handles. What people do there goes through the models' verbs."""

from . import bulk, flows, keys, logs, machine, people, runs, views

__all__ = ["bulk", "flows", "keys", "logs", "machine", "people", "runs", "views"]
