from typing import Any

from django.db import migrations, models


def tell_raw_apart(apps: Any, schema_editor: Any) -> None:
    """Whether escape codes are kept is a choice beside the format, not a format."""
    apps.get_model("runs_dashboard", "Download")._base_manager.filter(format="raw").update(format="txt", is_raw=True)


def make_raw_a_format(apps: Any, schema_editor: Any) -> None:
    apps.get_model("runs_dashboard", "Download")._base_manager.filter(format="txt", is_raw=True).update(format="raw")


class Migration(migrations.Migration):
    dependencies = [("runs_dashboard", "0004_run_duration")]

    operations = [
        migrations.AddField(
            model_name="download",
            name="is_raw",
            field=models.BooleanField(default=False, help_text="As printed, with escape codes."),
        ),
        migrations.RunPython(tell_raw_apart, make_raw_a_format),
        migrations.AlterField(
            model_name="download",
            name="filters",
            field=models.JSONField(blank=True, default=dict, help_text="step, attempt, levels, stream, text"),
        ),
        migrations.AlterField(
            model_name="download",
            name="format",
            field=models.CharField(
                choices=[
                    ("txt", "Text"),
                    ("ndjson", "JSON lines"),
                    ("csv", "CSV"),
                    ("bundle", "Support bundle"),
                ],
                default="txt",
                max_length=8,
            ),
        ),
    ]
