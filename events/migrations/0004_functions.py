from django.db import migrations, models

SETTINGS = "set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off"
CLAIM = f"""
create function events_claim(scopes text[], keys text[], fingerprints bytea[], answers uuid[], at timestamptz)
returns json language plpgsql volatile {SETTINGS} as $$
declare won uuid[];
begin
    -- 1. What is free is claimed. A key that another transaction has just claimed is waited for.
    with claimed as (
        insert into events_idempotencykey (scope, key, fingerprint, answer, created_at)
        select u.scope, u.key, u.fingerprint, u.answer, at
        from unnest(scopes, keys, fingerprints, answers) u(scope, key, fingerprint, answer)
        order by 1, 2
        on conflict (scope, key) do nothing
        returning answer
    )
    select array_agg(answer) into won from claimed;
    if cardinality(won) = cardinality(answers) then
        return '[]';
    end if;

    -- 2. What the others stand for already; it may have been forgotten this very moment.
    return (
        select json_agg(json_build_array(u.answer, encode(k.fingerprint, 'hex'), k.answer,
                                         (select e.contact_id from events_event e where e.id = k.answer), k.outcome))
        from unnest(scopes, keys, answers) u(scope, key, answer)
        left join lateral (select * from events_idempotencykey k
                           where k.scope = u.scope and k.key = u.key offset 0) k on true
        where u.answer <> all(coalesce(won, '{{}}')));
end $$"""
BEGIN = """
create function events_begin(
    numbers bigint[], kinds text[], vals text[],
    scopes text[], keys text[], fingerprints bytea[], answers uuid[], at timestamptz
) returns json language plpgsql volatile as $$
declare taken json := '[]';
begin
    -- Nobody waits for long.
    perform set_config('lock_timeout', '5s', true), contacts_probe();
    at := coalesce(at, now());

    -- Keys of people come before idempotency keys, as everywhere: two batches never wait for each other in a circle.
    perform pg_advisory_xact_lock(n) from unnest(numbers) n;
    if cardinality(answers) > 0 then
        taken := events_claim(scopes, keys, fingerprints, answers, at);
    end if;
    return json_build_array(at, taken, contacts_lock_and_read('{}', kinds, vals, at));
end $$"""
STORE = """
create function events_store(
    ids uuid[], contacts uuid[], names text[], properties text[], hops int[], occurred timestamptz[], seen uuid[],
    at timestamptz
) returns void language plpgsql volatile as $$
begin
    insert into events_event (id, contact_id, name, properties, hop, occurred_at, received_at)
    select u.id, u.contact_id, u.name, u.properties::jsonb, coalesce(u.hop, 0), coalesce(u.occurred_at, at), at
    from unnest(ids, contacts, names, properties, hops, occurred)
             with ordinality u(id, contact_id, name, properties, hop, occurred_at, i)
    order by u.i;
    if cardinality(seen) > 0 then
        perform contacts_seen(seen, at);
    end if;
end $$"""

# The whole of events/actions/quick.py in one round trip. Whatever needs a decision is handed back, as if nothing had
# been asked. A party is a set of keys that came together; no key is in two of them.
INGEST = """
create function events_ingest(
    numbers bigint[],
    new_ids uuid[], externals text[], emails text[], anonymous text[], patches text[], seen timestamptz[],
    key_parties int[], key_kinds text[], key_values text[],
    ids uuid[], parties int[], names text[], properties text[], occurred timestamptz[],
    scopes text[], keys text[], fingerprints bytea[], answers uuid[],
    questions text[]
) returns json language plpgsql volatile as $$
declare
    at timestamptz := now();
    taken json := '[]';
    held uuid[];
    key_owners uuid[];
    people uuid[];
    is_new bool[];
    is_filled bool[];
    writes bool;
    is_unusual bool;
    stale uuid[];
    question text;
    answer json;
    told text[];
begin
    -- 1. Nobody waits for long.
    perform set_config('lock_timeout', '5s', true), contacts_probe();

    -- 2. The keys of people, by number.
    perform pg_advisory_xact_lock(n) from unnest(numbers) n;

    -- 3. Repetitions: the caller leaves them out and asks again.
    if cardinality(answers) > 0 then
        taken := events_claim(scopes, keys, fingerprints, answers, at);
        if json_array_length(taken) > 0 then
            perform events_unclaim(scopes, keys, answers);
            return json_build_array('taken', taken);
        end if;
    end if;

    -- 4. The owners of the keys, by id; then whose the keys are now that nobody can move them.
    select array_agg(s.id order by s.id) into held
    from (select distinct (select k.contact_id from contacts_contactkey k
                           where k.kind = w.kind and k.value = w.value) id
          from unnest(key_kinds, key_values) w(kind, value)) s
    where s.id is not null;
    perform pg_advisory_xact_lock(hashtextextended(id::text, 0)) from unnest(held) id;
    select array_agg(o.id order by o.n) into key_owners
    from (select w.n, (select k.contact_id from contacts_contactkey k
                       where k.kind = w.kind and k.value = w.value) id
          from unnest(key_kinds, key_values) with ordinality w(kind, value, n)) o;

    -- 5. Whom each party means. Several owners, somebody merged or deleted, a second user id, our own id as one, or two
    --    parties that are one person: contacts/rules.py decides that.
    select array_agg(coalesce(o.owner, p.new_id) order by p.i),
           array_agg(o.owner is null order by p.i),
           array_agg((c.external_id is null and o.gains_external) or (c.email is null and o.gains_email)
                     or (c.anonymous_id is null and o.gains_anonymous) order by p.i),
           array_agg(case when o.gains_external then p.external end order by p.i),
           array_agg(case when o.gains_email then p.email end order by p.i),
           array_agg(case when o.gains_anonymous then p.anonymous end order by p.i),
           bool_or(o.gains_external or o.gains_email or o.gains_anonymous or p.patch is not null
                   or p.seen_at < c.first_seen_at),
           bool_or(o.owners > 1 or c.deleted_at is not null or o.owner <> all(held)
                   or (p.external is not null and not o.by_external and c.external_id is not null)
                   or (not o.by_external and exists(select 1 from contacts_contact own
                                                    where own.id = contacts_own_id('external', p.external))))
               or count(distinct o.owner) < count(o.owner),
           array_agg(o.owner) filter (where c.last_seen_at < at - interval '1 minute')
    into people, is_new, is_filled, externals, emails, anonymous, writes, is_unusual, stale
    from unnest(new_ids, externals, emails, anonymous, patches, seen)
             with ordinality p(new_id, external, email, anonymous, patch, seen_at, i)
    join (select k.party, (array_agg(k.owner) filter (where k.owner is not null))[1] as owner,
                 count(distinct k.owner) as owners, bool_or(k.kind = 'external' and k.owner is not null) as by_external,
                 bool_or(k.kind = 'external' and k.owner is null) as gains_external,
                 bool_or(k.kind = 'email' and k.owner is null) as gains_email,
                 bool_or(k.kind = 'anonymous' and k.owner is null) as gains_anonymous
          from unnest(key_parties, key_kinds, key_owners) k(party, kind, owner) group by k.party) o on o.party = p.i
    left join lateral (select * from contacts_contact c where c.id = o.owner offset 0) c on true;
    if is_unusual then
        perform events_unclaim(scopes, keys, answers);
        return '["unusual", null]';
    end if;

    -- 6. What is new about people, mostly nothing.
    if writes then
        perform contacts_write(
            at, f.new_ids, f.new_externals, f.new_emails, f.new_anonymous, f.new_patches, f.new_seen,
            g.kinds, g.vals, g.owners,
            f.ids, f.externals, f.emails, f.anonymous, f.patches, f.seen, f.filled, array_fill(false, array[f.known]),
            null, null, null, null, null, null)
        from (select array_agg(u.id) filter (where u.is_new) new_ids,
                     array_agg(u.external) filter (where u.is_new) new_externals,
                     array_agg(u.email) filter (where u.is_new) new_emails,
                     array_agg(u.anonymous) filter (where u.is_new) new_anonymous,
                     array_agg(u.patch) filter (where u.is_new) new_patches,
                     array_agg(least(u.seen_at, at)) filter (where u.is_new) new_seen,
                     array_agg(u.id) filter (where not u.is_new) ids,
                     array_agg(u.external) filter (where not u.is_new) externals,
                     array_agg(u.email) filter (where not u.is_new) emails,
                     array_agg(u.anonymous) filter (where not u.is_new) anonymous,
                     array_agg(u.patch) filter (where not u.is_new) patches,
                     array_agg(least(u.seen_at, at)) filter (where not u.is_new) seen,
                     array_agg(u.filled) filter (where not u.is_new) filled,
                     count(*) filter (where not u.is_new)::int known
              from unnest(people, externals, emails, anonymous, patches, seen, is_new, is_filled)
                       u(id, external, email, anonymous, patch, seen_at, is_new, filled)) f
        cross join (select array_agg(k.kind) kinds, array_agg(k.value) vals, array_agg(people[k.party]) owners
                    from unnest(key_parties, key_kinds, key_values, key_owners) k(party, kind, value, owner)
                    where k.owner is null) g;
    end if;

    -- 7. The events, and who was seen.
    perform events_store(ids, array(select people[u.party] from unnest(parties) with ordinality u(party, i) order by u.i),
                         names, properties, null, occurred, stale, at);

    -- 8. What the consumers want to know of these people.
    foreach question in array questions loop
        execute format('select %I($1)', question) into answer using people;
        told := told || answer::text;
    end loop;
    return json_build_array('stored', json_build_array(people, told));
end $$"""
REMEMBER = f"""
create function events_remember(scopes text[], keys text[], outcomes text[]) returns void language plpgsql volatile
{SETTINGS} as $$
begin
    update events_idempotencykey k set outcome = u.outcome::jsonb
    from (select (select k.id from events_idempotencykey k where k.scope = w.scope and k.key = w.key) id, w.outcome
          from unnest(scopes, keys, outcomes) w(scope, key, outcome)) u
    where k.id = u.id;
end $$"""
UNCLAIM = f"""
create function events_unclaim(scopes text[], keys text[], answers uuid[]) returns void language plpgsql volatile
{SETTINGS} as $$
begin
    if cardinality(answers) > 0 then
        delete from events_idempotencykey where id in (
            select k.id from unnest(scopes, keys, answers) u(scope, key, answer)
            cross join lateral (select * from events_idempotencykey k
                                where k.scope = u.scope and k.key = u.key offset 0) k
            where k.answer = u.answer);
    end if;
end $$"""


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0003_count_webhook_skips"),
        ("contacts", "0003_functions"),
    ]

    operations = [
        migrations.AddField(
            model_name="idempotencykey",
            name="outcome",
            field=models.JSONField(help_text="What else the first was told, for those who repeat it.", null=True),
        ),
        migrations.RunSQL(CLAIM, "drop function events_claim"),
        migrations.RunSQL(BEGIN, "drop function events_begin"),
        migrations.RunSQL(STORE, "drop function events_store"),
        migrations.RunSQL(REMEMBER, "drop function events_remember"),
        migrations.RunSQL(UNCLAIM, "drop function events_unclaim"),
        migrations.RunSQL(INGEST, "drop function events_ingest"),
    ]
