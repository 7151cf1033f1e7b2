"""The programs behind the bundled flows: `python -m runs_dashboard.chores CHORE` is a step's program.

They know what any step's program knows (CONTRACT section 6): inputs come as INPUT_…, the flow's own variables
as it names them, and results go into the file named by RUN_REPORT. They import no Django, so they start fast.
"""
