from django.db import migrations

# A name that is new is a name of which the planner knows nothing until the table is analysed again.
OFTEN = "alter table events_event set (autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 5000)"
SELDOM = "alter table events_event reset (autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)"


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0004_functions"),
    ]

    operations = [
        migrations.RunSQL(OFTEN, SELDOM),
    ]
