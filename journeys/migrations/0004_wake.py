from django.db import migrations

# Both are asked about each event of a transaction, by its person and its name.
LIVE_RUNS = """
create function journeys_live_runs(contacts uuid[], names text[]) returns json language sql stable as $$
    select journeys_live_runs(array(select distinct unnest(contacts)))
$$"""
# A row that is there already may be claimed: then its run looks for events under the lock of the person, after us.
WAKE = """
create function journeys_wake(contacts uuid[], names text[]) returns json language plpgsql volatile as $$
declare
    woken bigint;
begin
    if not exists (select from journeys_eventwaiter) then
        return to_json(0);
    end if;
    with woken_runs as (
        insert into journeys_wakeup (run_id, step_key, reason, due_at, attempts)
        select distinct w.run_id, w.step_key, 'event', clock_timestamp(), 0
        from (select distinct * from unnest(contacts, names) u(contact_id, name)) happened
        cross join lateral (select * from journeys_eventwaiter w
                            where w.contact_id = happened.contact_id and w.event_name = happened.name offset 0) w
        on conflict do nothing
        returning 1
    )
    select count(*) into woken from woken_runs;
    return to_json(woken);
end $$"""


class Migration(migrations.Migration):
    dependencies = [
        ("journeys", "0003_waiters_captures_versions"),
    ]

    operations = [
        migrations.RunSQL(LIVE_RUNS, "drop function journeys_live_runs(uuid[], text[])"),
        migrations.RunSQL(WAKE, "drop function journeys_wake"),
    ]
