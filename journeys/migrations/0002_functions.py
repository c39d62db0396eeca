from django.db import migrations

# Asked in transactions that have begun with events_begin or events_ingest, which see to it that indexes are probed.
LIVE_RUNS = """
create function journeys_live_runs(contacts uuid[])
returns json language plpgsql stable as $$
begin
    return (
        select coalesce(json_agg(json_build_array(r.contact_id, r.id, r.journey_id)), '[]')
        from unnest(contacts) person(id)
        cross join lateral (
            select contact_id, id, journey_id from journeys_journeyrun
            where contact_id = person.id and status in ('active', 'waiting')
            order by created_at, id offset 0
        ) r);
end $$"""


class Migration(migrations.Migration):
    dependencies = [
        ("journeys", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(LIVE_RUNS, "drop function journeys_live_runs"),
    ]
