"""Runs Dashboard: one console for the workflow runs of any engine."""

__version__ = "0.1.0"
