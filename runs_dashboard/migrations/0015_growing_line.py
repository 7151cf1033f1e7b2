"""A column that is empty of every run there is: neither database writes a row for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs_dashboard", "0014_bulk_retries"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="growing_line",
            field=models.TextField(editable=False, null=True),
        ),
    ]
