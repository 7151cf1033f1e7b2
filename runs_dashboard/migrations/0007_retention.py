import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs_dashboard", "0006_saved_views"),
    ]

    operations = [
        migrations.CreateModel(
            name="Purge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("due_at", models.DateTimeField(unique=True)),
                ("began_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("runs", models.BigIntegerField(default=0)),
                ("log_bytes", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="StoredDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("runs", models.BigIntegerField(default=0)),
                ("log_bytes", models.BigIntegerField(default=0)),
                (
                    "marks",
                    models.BigIntegerField(
                        default=0, help_text="How often something of the day has changed since it was over."
                    ),
                ),
                ("is_stale", models.BooleanField(default=False)),
                ("is_settled", models.BooleanField(default=False)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="flow",
            name="retention_runs",
            field=models.BigIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="run",
            name="removing_at",
            field=models.DateTimeField(editable=False, help_text="Its deletion has begun: it is gone.", null=True),
        ),
        migrations.AlterField(
            model_name="flow",
            name="retention_bytes",
            field=models.BigIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="flow",
            name="retention_days",
            field=models.PositiveIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("is_pinned", True)), fields=["tenant", "-ordered_at", "-id"], name="run_pinned"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(condition=models.Q(("removing_at__isnull", False)), fields=["id"], name="run_removing"),
        ),
        migrations.AddField(
            model_name="storedday",
            name="flow",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="stored_days",
                to="runs_dashboard.flow",
            ),
        ),
        migrations.AddField(
            model_name="storedday",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="runs_dashboard.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="storedday",
            index=models.Index(fields=["tenant", "day"], name="stored_day_of_tenant"),
        ),
        migrations.AddIndex(
            model_name="storedday",
            index=models.Index(condition=models.Q(("is_settled", True)), fields=["day"], name="stored_day_settled"),
        ),
        migrations.AddIndex(
            model_name="storedday",
            index=models.Index(condition=models.Q(("is_stale", True)), fields=["day"], name="stored_day_stale"),
        ),
        migrations.AddConstraint(
            model_name="storedday",
            constraint=models.UniqueConstraint(fields=("flow", "day"), name="stored_day_once"),
        ),
    ]
