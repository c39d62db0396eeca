from django.db import migrations

# Version 7 (RFC 9562) for rows that are born in SQL: 48 bits of Unix milliseconds, the version, then random bits.
UUID7 = """
create function hogsend_uuid7() returns uuid language sql volatile parallel safe as $$
    select encode(set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid())
                placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$$"""


class Migration(migrations.Migration):
    dependencies = [
        ("buckets", "0001_memberships"),
    ]

    operations = [
        migrations.RunSQL(UUID7, "drop function hogsend_uuid7"),
    ]
