"""Failures of one kind, and which failed runs are resolved: of the history, those whose retry has succeeded.

What fills the groups is made after the migrations (models/failure_triggers.py), and then counts what there is.
"""

import uuid

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

# By the first run that succeeded: up the chain of retries, then down to the sub-runs of those (models/resolving.py).
FIND = """
    CREATE TEMPORARY TABLE resolution AS
    WITH RECURSIVE
    earlier(id, by_id) AS (
        SELECT retried_run_id, id FROM runs_dashboard_run WHERE retried_run_id IS NOT NULL AND status = 'succeeded'
        UNION
        SELECT run.retried_run_id, earlier.by_id FROM earlier JOIN runs_dashboard_run run ON run.id = earlier.id
        WHERE run.retried_run_id IS NOT NULL
    ),
    below(id, by_id) AS (
        SELECT id, by_id FROM earlier
        UNION
        SELECT run.id, below.by_id FROM below JOIN runs_dashboard_run run ON run.parent_run_id = below.id
    ),
    first(id, by_id) AS (SELECT id, MIN(by_id) FROM below GROUP BY id)
    SELECT first.id, first.by_id, run.finished_at FROM first JOIN runs_dashboard_run run ON run.id = first.by_id
"""
MARK = """
    UPDATE runs_dashboard_run SET
        resolved_at = (SELECT finished_at FROM resolution WHERE resolution.id = runs_dashboard_run.id),
        resolved_run_id = (SELECT by_id FROM resolution WHERE resolution.id = runs_dashboard_run.id)
    WHERE id IN (SELECT id FROM resolution) AND status = 'failed'
"""


def resolve(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in (FIND, "CREATE UNIQUE INDEX resolution_of ON resolution (id)", MARK, "DROP TABLE resolution"):
            cursor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("runs_dashboard", "0012_run_notes"),
    ]

    operations = [
        migrations.CreateModel(
            name="ErrorGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "fingerprint",
                    models.CharField(blank=True, help_text="Empty: the runs failed without a word.", max_length=16),
                ),
                ("sample", models.TextField(blank=True, help_text="The error of its last run.")),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                (
                    "opened_at",
                    models.DateTimeField(
                        blank=True, help_text="The first of those that are unresolved since.", null=True
                    ),
                ),
                (
                    "emptied_at",
                    models.DateTimeField(blank=True, help_text="When the last of them was resolved.", null=True),
                ),
                ("open_count", models.BigIntegerField(default=0, verbose_name="unresolved")),
                ("total_count", models.BigIntegerField(default=0, verbose_name="runs")),
                ("last_run_id", models.BigIntegerField(editable=False, null=True)),
                (
                    "hours",
                    models.JSONField(
                        default=dict, editable=False, help_text="Failures by hour since 1970, of the last days."
                    ),
                ),
            ],
            options={
                "verbose_name": "kind of failure",
                "verbose_name_plural": "kinds of failure",
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="FailureChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("flow_id", models.BigIntegerField(editable=False)),
                ("fingerprint", models.CharField(editable=False, max_length=16)),
                ("run_id", models.BigIntegerField(editable=False)),
                ("seen_at", models.DateTimeField(editable=False, help_text="When the run failed.")),
                (
                    "closed_at",
                    models.DateTimeField(editable=False, help_text="Null: the run is unresolved.", null=True),
                ),
                ("sign", models.SmallIntegerField(editable=False)),
                ("is_gone", models.SmallIntegerField(editable=False, help_text="1: the run was deleted.")),
            ],
            options={
                "verbose_name": "failure change",
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_by_error",
        ),
        migrations.AddField(
            model_name="run",
            name="resolved_at",
            field=models.DateTimeField(editable=False, help_text="A later retry had succeeded by then.", null=True),
        ),
        migrations.AddField(
            model_name="run",
            name="resolved_run",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="runs_dashboard.run",
            ),
        ),
        migrations.RunPython(resolve, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["tenant", "error_fingerprint", "-ordered_at", "-id", "flow"],
                name="run_by_error",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("resolved_at__isnull", True), ("reviewed_at__isnull", True), ("status", "failed")),
                fields=["tenant", "status", "-ordered_at", "-id"],
                name="run_unresolved",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("resolved_at__isnull", True), ("reviewed_at__isnull", True), ("status", "failed")),
                fields=["tenant", "error_fingerprint", "flow", "-ordered_at", "-id"],
                name="run_unresolved_by_error",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("resolved_run__isnull", False)), fields=["resolved_run"], name="run_resolved_by"
            ),
        ),
        migrations.AddField(
            model_name="errorgroup",
            name="flow",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="error_groups",
                to="runs_dashboard.flow",
            ),
        ),
        migrations.AddField(
            model_name="errorgroup",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="runs_dashboard.tenant",
            ),
        ),
        migrations.AddField(
            model_name="failurechange",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="runs_dashboard.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="errorgroup",
            index=models.Index(
                condition=models.Q(("open_count__gt", 0)),
                fields=["tenant", "-last_seen_at", "-id"],
                name="error_group_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="errorgroup",
            index=models.Index(
                condition=models.Q(("open_count__gt", 0)),
                fields=["tenant", "-open_count", "-id"],
                name="error_group_largest",
            ),
        ),
        migrations.AddIndex(
            model_name="errorgroup",
            index=models.Index(fields=["tenant", "-emptied_at"], name="error_group_emptied"),
        ),
        migrations.AddConstraint(
            model_name="errorgroup",
            constraint=models.UniqueConstraint(fields=("flow", "fingerprint"), name="error_group_once"),
        ),
    ]
