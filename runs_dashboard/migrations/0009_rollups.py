"""Roll-ups of runs and steps (models/rollup.py); what fills them is made after the migrations (rollup_triggers.py)."""

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs_dashboard", "0008_run_list_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="RollupState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("generation", models.BigIntegerField(default=0, editable=False, help_text="Changes with the cells.")),
                (
                    "hours_from",
                    models.BigIntegerField(default=0, editable=False, help_text="Since then there are cells of hours."),
                ),
                ("succeeded", models.BigIntegerField(default=0, editable=False)),
                ("failed", models.BigIntegerField(default=0, editable=False)),
                ("stopped", models.BigIntegerField(default=0, editable=False)),
                ("took_ms", models.BigIntegerField(default=0, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="RollupChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("flow_id", models.BigIntegerField(editable=False)),
                ("user_id", models.BigIntegerField(editable=False, null=True)),
                ("component", models.CharField(editable=False, max_length=100, null=True)),
                ("status", models.CharField(editable=False, max_length=10)),
                (
                    "hour",
                    models.BigIntegerField(
                        editable=False, help_text="Of the run's start, or of its making while it waits."
                    ),
                ),
                ("took_ms", models.BigIntegerField(editable=False, null=True)),
                ("waited_ms", models.BigIntegerField(editable=False, help_text="Null: another engine's.", null=True)),
                ("warned", models.SmallIntegerField(editable=False)),
                ("sign", models.SmallIntegerField(editable=False)),
                (
                    "is_news",
                    models.SmallIntegerField(
                        editable=False, help_text="1: no deletion and no recount, it counts for ever."
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="runs_dashboard.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "roll-up change",
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="RollupCell",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "by",
                    models.CharField(
                        choices=[("total", "Total"), ("flow", "Flow"), ("user", "User"), ("component", "Component")],
                        editable=False,
                        max_length=9,
                    ),
                ),
                ("flow", models.BigIntegerField(default=0, editable=False)),
                ("level", models.PositiveSmallIntegerField(editable=False, verbose_name="hours long")),
                (
                    "begin",
                    models.BigIntegerField(
                        editable=False, help_text="Hours since 1970-01-01, UTC.", verbose_name="begins at hour"
                    ),
                ),
                ("key", models.CharField(blank=True, editable=False, max_length=100)),
                ("queued", models.BigIntegerField(default=0, editable=False)),
                ("running", models.BigIntegerField(default=0, editable=False)),
                ("paused", models.BigIntegerField(default=0, editable=False)),
                ("succeeded", models.BigIntegerField(default=0, editable=False)),
                ("failed", models.BigIntegerField(default=0, editable=False)),
                ("stopped", models.BigIntegerField(default=0, editable=False)),
                ("warned", models.BigIntegerField(default=0, editable=False)),
                (
                    "took_ms",
                    models.BigIntegerField(default=0, editable=False, help_text="Sum over those that succeeded."),
                ),
                ("took", models.TextField(default="{}", editable=False, help_text="How many fell into each bucket.")),
                ("waited", models.TextField(default="{}", editable=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="runs_dashboard.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "roll-up",
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "by", "flow", "level", "begin", "key"), name="rollup_cell"
                    )
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
