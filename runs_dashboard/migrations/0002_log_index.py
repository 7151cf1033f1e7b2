"""The index of the logs' words (models/log_index.py): on SQLite its tables are made as they are needed."""

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

import runs_dashboard.models.log


def create_trigram_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # The part stands in an array too: arrays are what a GIN index takes without an extension.
        # Without the list of pending entries, which every search would have to walk through.
        schema_editor.execute(
            "CREATE INDEX chunk_trigrams ON runs_dashboard_logchunk"
            " USING gin ((ARRAY[index_part_id]), trigrams) WITH (fastupdate = off) WHERE trigrams IS NOT NULL"
        )


def drop_index_tables(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE runs\\_dashboard\\_logindex\\_%' ESCAPE '\\'"
            )
            names = [row[0] for row in cursor.fetchall()]
        for name in names:
            schema_editor.execute(f"DROP TABLE {name}")
        # Their chunks are indexed nowhere any more.
        apps.get_model("runs_dashboard", "LogChunk").across_tenants.update(index_part=None)
    else:
        schema_editor.execute("DROP INDEX chunk_trigrams")


class Migration(migrations.Migration):
    dependencies = [("runs_dashboard", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="LogIndexPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chunk_count", models.PositiveIntegerField(default=0, help_text="Chunks that were ever put into it.")),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
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
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[("across_tenants", django.db.models.manager.Manager())],
        ),
        migrations.AddField(
            model_name="logchunk",
            name="index_part",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="runs_dashboard.logindexpart",
            ),
        ),
        migrations.AddField(
            model_name="logchunk",
            name="trigrams",
            field=runs_dashboard.models.log.TrigramsField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="logchunk",
            index=models.Index(
                condition=models.Q(("index_part", None)), fields=["tenant", "-last_at"], name="chunk_unindexed"
            ),
        ),
        migrations.AddIndex(
            model_name="logchunk",
            index=models.Index(
                condition=models.Q(("index_part", None), ("is_sealed", True)),
                fields=["run", "first_line"],
                name="chunk_pending",
            ),
        ),
        migrations.AddIndex(
            model_name="logchunk",
            index=models.Index(
                condition=models.Q(("index_part__isnull", False)), fields=["index_part", "run"], name="chunk_of_part"
            ),
        ),
        migrations.RunPython(create_trigram_index, drop_index_tables),
    ]
