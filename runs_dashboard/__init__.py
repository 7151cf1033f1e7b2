"""Runs Dashboard: one console for the workflow runs of any engine."""
