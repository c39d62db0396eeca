from django.db import migrations

# From PostgreSQL 18 on the server makes them itself, several times faster.
NATIVE = """
do $do$ begin
    if current_setting('server_version_num')::int >= 180000 then
        create or replace function hogsend_uuid7() returns uuid language sql volatile parallel safe
        as 'select pg_catalog.uuidv7()';
    end if;
end $do$"""


class Migration(migrations.Migration):
    dependencies = [
        ("buckets", "0004_clock_and_backfill"),
    ]

    operations = [
        migrations.RunSQL(NATIVE, migrations.RunSQL.noop),
    ]
