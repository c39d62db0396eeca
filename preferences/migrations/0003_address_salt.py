from django.db import migrations

# Two version 4 UUIDs are 244 bits of PostgreSQL's strong random numbers.
MAKE = """
create table preferences_salt (
    only_one boolean primary key default true check (only_one),
    salt bytea not null
);
insert into preferences_salt (salt) values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
"""


class Migration(migrations.Migration):
    dependencies = [("preferences", "0002_tombstone")]

    operations = [migrations.RunSQL(MAKE, "drop table preferences_salt")]
