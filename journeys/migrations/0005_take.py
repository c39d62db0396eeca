from django.db import migrations

# Each statement of a volatile function sees what was committed before it: the journal is read as the last holder of the
# run has left it, also when the first statement had to wait for that holder.
TAKE = """
create function journeys_take(asked uuid, owner text, span interval) returns json language plpgsql volatile
set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off as $$
declare
    taken json;
begin
    update journeys_journeyrun r
    set lease_token = lease_token + 1, lease_owner = owner, lease_until = now() + span,
        crash_count = crash_count + (lease_until is not null)::int
    where r.id = asked and status in ('active', 'waiting') and (lease_until is null or lease_until < now())
        and not exists (select from journeys_journeyoverride o where o.journey_id = r.journey_id and o.paused)
    returning json_build_array(
        lease_token, contact_id, context::text, code_hash, crash_count, clock_timestamp(),
        (select coalesce(external_id, anonymous_id, id::text) from contacts_contact where id = r.contact_id),
        (select email from contacts_contact where id = r.contact_id),
        (select deleted_at is not null from contacts_contact where id = r.contact_id),
        coalesce((select hop from events_event where id = r.trigger_event_id), 0)) into taken;
    if taken is null then
        return 'null';
    end if;
    return json_build_array(taken, (
        select coalesce(json_agg(json_build_array(
            s.key, case when s.status = 'done' then s.result::text end, s.deadline, s.created_at,
            case when s.status <> 'done' then s.result::text end) order by s.seq), '[]')
        from journeys_journeystep s where s.run_id = asked and s.kind not in ('entered', 'skipped')));
end $$"""


class Migration(migrations.Migration):
    dependencies = [("journeys", "0004_wake")]

    operations = [migrations.RunSQL(TAKE, "drop function journeys_take")]
