import uuid

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs_dashboard", "0010_log_jumps"),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkAction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "action",
                    models.CharField(
                        choices=[("retry", "Retry"), ("stop", "Stop"), ("review", "Review")], max_length=8
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("aborted", "Aborted"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("pairs", models.JSONField(blank=True, default=list)),
                ("query", models.TextField(blank=True, help_text="The filter as one types it.")),
                (
                    "start_at",
                    models.CharField(
                        blank=True, help_text="Of a retry: start, or failed where possible.", max_length=8
                    ),
                ),
                ("per_second", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("refused", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=500)),
                ("created_by_name", models.CharField(max_length=300)),
                ("address", models.GenericIPAddressField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(help_text="When its next act is due.", null=True)),
                ("abort_requested_at", models.DateTimeField(null=True)),
                ("abort_requested_by", models.CharField(blank=True, max_length=300)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "created_by_key",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="runs_dashboard.apikey",
                    ),
                ),
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
                "verbose_name": "bulk action",
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BulkResult",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("run_uid", models.CharField(max_length=255)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                            ("skipped", "Skipped"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("acted_at", models.DateTimeField(null=True)),
                (
                    "bulk",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="runs_dashboard.bulkaction",
                    ),
                ),
                (
                    "new_run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="runs_dashboard.run",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="bulk_results",
                        to="runs_dashboard.run",
                    ),
                ),
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
                "verbose_name": "bulk result",
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name="bulkaction",
            index=models.Index(fields=["tenant", "-id"], name="bulk_newest"),
        ),
        migrations.AddIndex(
            model_name="bulkaction",
            index=models.Index(
                condition=models.Q(("status__in", ["queued", "running"])), fields=["next_at", "id"], name="bulk_due"
            ),
        ),
        migrations.AddIndex(
            model_name="bulkaction",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", False)), fields=["finished_at"], name="bulk_oldest"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["queued", "running", "done", "aborted", "failed"])),
                name="bulk_status",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkresult",
            index=models.Index(fields=["bulk", "id"], name="bulk_result_of"),
        ),
        migrations.AddIndex(
            model_name="bulkresult",
            index=models.Index(fields=["bulk", "outcome", "id"], name="bulk_result_by_outcome"),
        ),
        migrations.AddConstraint(
            model_name="bulkresult",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["waiting", "done", "refused", "skipped"])),
                name="bulk_result_outcome",
            ),
        ),
    ]
