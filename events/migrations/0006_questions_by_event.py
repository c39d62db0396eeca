from importlib import import_module

from django.db import migrations

# Consumers are asked about each event, by its person and its name, no longer about the people alone.
BEFORE: str = import_module("events.migrations.0004_functions").INGEST.replace("create function", "create or replace function", 1)
AFTER = BEFORE.replace("""        execute format('select %I($1)', question) into answer using people;
""", """        execute format('select %I($1, $2)', question) into answer
            using array(select people[u.party] from unnest(parties) with ordinality u(party, i) order by u.i), names;
""")


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0005_analyse_often"),
        ("journeys", "0004_wake"),
    ]

    operations = [
        migrations.RunSQL(AFTER, BEFORE),
    ]
