from django.db import migrations, models

import runs_dashboard.models.run


class Migration(migrations.Migration):
    dependencies = [
        ("runs_dashboard", "0003_webhook_deliveries"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="took_ms",
            field=models.GeneratedField(
                db_persist=True,
                expression=runs_dashboard.models.run.Milliseconds("started_at", "finished_at"),
                output_field=models.BigIntegerField(),
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("took_ms__isnull", False)), fields=["tenant", "took_ms"], name="run_by_duration"
            ),
        ),
    ]
