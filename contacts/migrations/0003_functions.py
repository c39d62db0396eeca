from django.db import migrations

# Each statement of a volatile function sees what was committed before it, so what is locked in one is read in the next.
# Look-ups are index probes whatever the statistics say (lateral, offset 0), and their plans are kept.
SETTINGS = "set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off"
# Who has neither a user id nor a visitor's id is known outside by our own: an event may bring it as its user id.
OWN_ID = """
create function contacts_own_id(kind text, value text) returns uuid language sql immutable parallel safe as $$
    select case when kind = 'external' and value ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then value::uuid end
$$"""
OWNER = """coalesce((select k.contact_id from contacts_contactkey k where k.kind = w.kind and k.value = w.value),
                    contacts_own_id(w.kind, w.value))"""
# For the rest of a transaction its statements probe their indexes, those that check foreign keys at its end included:
# small or young tables have statistics which make a scan look cheap. Up to PostgreSQL 17 a plan that scans all the same
# looks so dear then that it would be compiled, for 100 ms each time.
PROBE = """
create function contacts_probe() returns void language plpgsql volatile as $$
begin
    perform set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
            set_config('jit', 'off', true);
end $$"""
LOCK_AND_READ = f"""
create function contacts_lock_and_read(numbers bigint[], kinds text[], vals text[], at timestamptz)
returns json language plpgsql volatile {SETTINGS} as $$
declare held uuid[];
begin
    -- 1. The keys, by number.
    perform pg_advisory_xact_lock(n) from unnest(numbers) n;

    -- 2. Whoever owns them, by id.
    select array_agg(s.id order by s.id) into held
    from (select distinct {OWNER} id from unnest(kinds, vals) w(kind, value)) s
    where s.id is not null;
    perform pg_advisory_xact_lock(hashtextextended(id::text, 0)) from unnest(held) id;

    -- 3. What is true from now on: of each key its owner, who may be somebody else since step 2.
    return json_build_array(coalesce(held, '{{}}'), (
        select coalesce(json_agg(json_build_array(
                   w.kind, w.value, c.id, c.external_id, c.email, c.anonymous_id, c.first_seen_at,
                   c.deleted_at is null, c.merged_into_id, c.last_seen_at < at - interval '1 minute')), '[]')
        from unnest(kinds, vals) w(kind, value)
        cross join lateral (select {OWNER} id offset 0) k
        cross join lateral (select * from contacts_contact c where c.id = k.id offset 0) c));
end $$"""
# A patch is shallow, and a null in it removes the property.
PATCHED = """(select coalesce(jsonb_object_agg(p.key, p.value), '{}')
              from jsonb_each(%s || u.patch::jsonb) p where jsonb_typeof(p.value) <> 'null')"""
WRITE = f"""
create function contacts_write(
    at timestamptz,
    new_ids uuid[], new_externals text[], new_emails text[], new_anonymous text[], new_patches text[],
    new_seen timestamptz[],
    key_kinds text[], key_values text[], key_owners uuid[],
    ids uuid[], externals text[], emails text[], anonymous text[], patches text[], seen timestamptz[],
    filled bool[], stale bool[],
    conflict_ids uuid[], conflict_contacts uuid[], conflict_others uuid[], conflict_kinds text[],
    conflict_values text[], conflict_times int[]
) returns void language plpgsql volatile {SETTINGS} as $$
begin
    -- 1. Who is new.
    if cardinality(new_ids) > 0 then
        insert into contacts_contact
            (id, external_id, email, anonymous_id, properties, first_seen_at, last_seen_at, created_at, updated_at)
        select u.id, u.external_id, u.email, u.anonymous_id,
               case when u.patch is null then '{{}}' else {PATCHED % "'{}'::jsonb"} end, u.seen_at, at, at, at
        from unnest(new_ids, new_externals, new_emails, new_anonymous, new_patches, new_seen)
                 u(id, external_id, email, anonymous_id, patch, seen_at);
    end if;

    -- 2. The keys that nobody owned. One is moved only when its contact was deleted: a living owner was found, and
    --    then nobody inserts the key.
    if cardinality(key_kinds) > 0 then
        insert into contacts_contactkey as k (kind, value, contact_id, created_at)
        select u.kind, u.value, u.contact_id, at
        from unnest(key_kinds, key_values, key_owners) u(kind, value, contact_id)
        order by 1, 2
        on conflict (kind, value) do update set contact_id = excluded.contact_id, created_at = excluded.created_at
        where not exists (select 1 from contacts_contact c where c.id = k.contact_id and c.deleted_at is null);
    end if;

    -- 3. What the known have gained.
    if cardinality(ids) > 0 then
        update contacts_contact c set
            external_id = coalesce(c.external_id, u.external_id),
            email = coalesce(c.email, u.email),
            anonymous_id = coalesce(c.anonymous_id, u.anonymous_id),
            properties = case when u.patch is null then c.properties else {PATCHED % "c.properties"} end,
            first_seen_at = least(c.first_seen_at, u.seen_at),
            last_seen_at = greatest(c.last_seen_at, at),
            updated_at = case when u.filled or u.patch is not null then at else c.updated_at end
        from unnest(ids, externals, emails, anonymous, patches, seen, filled, stale)
                 u(id, external_id, email, anonymous_id, patch, seen_at, filled, stale)
        where c.id = any(ids) and c.id = u.id
          and (u.filled or u.stale or u.seen_at < c.first_seen_at
               or (u.patch is not null and c.properties <> {PATCHED % "c.properties"}));
    end if;

    -- 4. The keys that came with somebody who does not own them.
    if cardinality(conflict_ids) > 0 then
        insert into contacts_keyconflict as k
            (id, contact_id, other_id, kind, value, seen_count, first_seen_at, last_seen_at)
        select u.id, u.contact_id, u.other_id, u.kind, u.value, u.times, at, at
        from unnest(conflict_ids, conflict_contacts, conflict_others, conflict_kinds, conflict_values, conflict_times)
                 u(id, contact_id, other_id, kind, value, times)
        order by 2, 3, 4, 5
        on conflict (contact_id, other_id, kind, value)
        do update set seen_count = k.seen_count + excluded.seen_count, last_seen_at = excluded.last_seen_at;
    end if;
end $$"""

SEEN = f"""
create function contacts_seen(ids uuid[], at timestamptz) returns void language plpgsql volatile {SETTINGS} as $$
begin
    -- Once a minute is enough.
    update contacts_contact c set last_seen_at = at
    where c.id = any(ids) and c.last_seen_at < at - interval '1 minute';
end $$"""

BEGIN = """
create function contacts_begin(numbers bigint[], kinds text[], vals text[], at timestamptz)
returns json language plpgsql volatile as $$
begin
    -- Nobody waits for long.
    perform set_config('lock_timeout', '5s', true), contacts_probe();
    at := coalesce(at, now());
    return json_build_array(at, contacts_lock_and_read(numbers, kinds, vals, at));
end $$"""
FIND = f"""
create function contacts_find(kinds text[], vals text[]) returns json language plpgsql stable {SETTINGS} as $$
begin
    -- From each key to its owner and from there to the survivor, in the order of the keys.
    return (
        with recursive chain as (
            select w.n, {OWNER} id
            from unnest(kinds, vals) with ordinality w(kind, value, n)
            union
            select chain.n, c.merged_into_id
            from chain
            cross join lateral (select c.merged_into_id from contacts_contact c where c.id = chain.id offset 0) c
            where c.merged_into_id is not null
        )
        select coalesce(json_agg(json_build_array(
                   c.id, c.external_id, c.email, c.anonymous_id, c.timezone, c.timezone_source, c.properties,
                   c.first_seen_at, c.last_seen_at, c.deleted_at, c.merged_into_id, c.created_at, c.updated_at)
                   order by s.n), '[]')
        from (select id, min(n) n from chain group by id) s
        cross join lateral (select * from contacts_contact c where c.id = s.id offset 0) c
        where c.merged_into_id is null and c.deleted_at is null);
end $$"""


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0002_erase_permission"),
    ]

    operations = [
        migrations.RunSQL(OWN_ID, "drop function contacts_own_id"),
        migrations.RunSQL(PROBE, "drop function contacts_probe"),
        migrations.RunSQL(LOCK_AND_READ, "drop function contacts_lock_and_read"),
        migrations.RunSQL(WRITE, "drop function contacts_write"),
        migrations.RunSQL(SEEN, "drop function contacts_seen"),
        migrations.RunSQL(BEGIN, "drop function contacts_begin"),
        migrations.RunSQL(FIND, "drop function contacts_find"),
    ]
