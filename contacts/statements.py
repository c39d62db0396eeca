"""The SQL of people and keys. Look-ups are probes (lateral, offset 0), never joins: young tables have no statistics."""

# Two kinds of lock, always in this order: all keys by number, then all contacts by id. What is locked in one
# statement is read in a later one, whose snapshot is younger than the lock.
LOCK_KEYS = "select pg_advisory_xact_lock(n) from unnest(%s::bigint[]) n"
LOCK_CONTACTS = """
    select s.id, pg_advisory_xact_lock(hashtextextended(s.id::text, 0))
    from (select distinct id from unnest(%s::uuid[]) id order by 1) s"""
TRY_CONTACTS = "select pg_try_advisory_xact_lock(hashtextextended(id::text, 0)) from unnest(%s::uuid[]) id"
LOCK_OWNERS = """
    select s.id, pg_advisory_xact_lock(hashtextextended(s.id::text, 0))
    from (select distinct (select k.contact_id from contacts_contactkey k
                           where k.kind = w.kind and k.value = w.value) id
          from unnest(%s::text[], %s::text[]) w(kind, value) order by 1) s
    where s.id is not null"""
READ_OWNERS = """
    select w.kind, w.value, c.*
    from unnest(%s::text[], %s::text[]) w(kind, value)
    cross join lateral (select k.contact_id from contacts_contactkey k
                        where k.kind = w.kind and k.value = w.value offset 0) k
    cross join lateral (select c.id, c.external_id, c.email, c.anonymous_id, c.first_seen_at,
                               c.deleted_at is null lives, c.merged_into_id,
                               c.last_seen_at < %s::timestamptz - interval '1 minute' stale
                        from contacts_contact c where c.id = k.contact_id offset 0) c"""
CHAIN = """
    with recursive chain as (
        select c.id start, c.id, c.merged_into_id from contacts_contact c where c.id = any(%s::uuid[])
        union
        select chain.start, c.id, c.merged_into_id
        from chain
        cross join lateral (select * from contacts_contact c where c.id = chain.merged_into_id offset 0) c
    )"""
LOCK_SURVIVORS = f"""{CHAIN}
    select s.id, pg_advisory_xact_lock(hashtextextended(s.id::text, 0))
    from (select distinct id from chain where merged_into_id is null order by 1) s"""  # noqa: S608 - made of constants
READ_SURVIVORS = f"""{CHAIN}
    select chain.start, c.id, c.external_id, c.email, c.anonymous_id, c.first_seen_at,
           c.last_seen_at < %s::timestamptz - interval '1 minute'
    from chain cross join lateral (select * from contacts_contact c where c.id = chain.id offset 0) c
    where chain.merged_into_id is null and c.deleted_at is null"""  # noqa: S608 - made of constants
# A patch is shallow, and a null in it removes the property.
PATCHED = """(select coalesce(jsonb_object_agg(p.key, p.value), '{}')
              from jsonb_each(%s || u.patch::jsonb) p where jsonb_typeof(p.value) <> 'null')"""
INSERT_CONTACTS = f"""
    insert into contacts_contact
        (id, external_id, email, anonymous_id, properties, first_seen_at, last_seen_at, created_at, updated_at)
    select u.id, u.external_id, u.email, u.anonymous_id,
           case when u.patch is null then '{{}}' else {PATCHED % "'{}'::jsonb"} end, u.seen_at, n.now, n.now, n.now
    from unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
             u(id, external_id, email, anonymous_id, patch, seen_at)
    cross join (select %s::timestamptz as now) n"""  # noqa: S608 - made of constants
UPDATE_CONTACTS = f"""
    update contacts_contact c set
        external_id = coalesce(c.external_id, u.external_id),
        email = coalesce(c.email, u.email),
        anonymous_id = coalesce(c.anonymous_id, u.anonymous_id),
        properties = case when u.patch is null then c.properties else {PATCHED % "c.properties"} end,
        first_seen_at = least(c.first_seen_at, u.seen_at),
        last_seen_at = greatest(c.last_seen_at, n.now),
        updated_at = case when u.filled or u.patch is not null then n.now else c.updated_at end
    from unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::bool[], %s::bool[])
             u(id, external_id, email, anonymous_id, patch, seen_at, filled, stale)
    cross join (select %s::timestamptz as now) n
    where c.id = any(%s::uuid[]) and c.id = u.id
      and (u.filled or u.stale or u.seen_at < c.first_seen_at
           or (u.patch is not null and c.properties <> {PATCHED % "c.properties"}))"""  # noqa: S608
# A key is moved only when its contact was deleted: a living owner was found, and then nobody inserts the key.
INSERT_KEYS = """
    insert into contacts_contactkey as k (kind, value, contact_id, created_at)
    select u.kind, u.value, u.contact_id, n.now
    from unnest(%s::text[], %s::text[], %s::uuid[]) u(kind, value, contact_id)
    cross join (select %s::timestamptz as now) n
    order by 1, 2
    on conflict (kind, value) do update set contact_id = excluded.contact_id, created_at = excluded.created_at
    where not exists (select 1 from contacts_contact c where c.id = k.contact_id and c.deleted_at is null)"""
INSERT_CONFLICTS = """
    insert into contacts_keyconflict as k
        (id, contact_id, other_id, kind, value, seen_count, first_seen_at, last_seen_at)
    select u.id, u.contact_id, u.other_id, u.kind, u.value, u.times, n.now, n.now
    from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int[])
             u(id, contact_id, other_id, kind, value, times)
    cross join (select %s::timestamptz as now) n
    order by 2, 3, 4, 5
    on conflict (contact_id, other_id, kind, value)
    do update set seen_count = k.seen_count + excluded.seen_count, last_seen_at = excluded.last_seen_at"""
# What the survivor says about itself wins; the absorbed fills what is missing.
GROW = """
    update contacts_contact s set
        external_id = coalesce(s.external_id, a.external_id),
        email = coalesce(s.email, a.email),
        anonymous_id = coalesce(s.anonymous_id, a.anonymous_id),
        timezone = coalesce(s.timezone, a.timezone),
        timezone_source = case when s.timezone is null then a.timezone_source else s.timezone_source end,
        properties = a.properties || s.properties,
        first_seen_at = least(s.first_seen_at, a.first_seen_at),
        last_seen_at = greatest(s.last_seen_at, a.last_seen_at),
        updated_at = %s
    from contacts_contact a where s.id = %s and a.id = %s"""
# Everybody who is one person: up to the survivor, and down from there.
READ_FAMILY = """
    with recursive up as (
        select c.id, c.merged_into_id from contacts_contact c where c.id = any(%s)
        union
        select c.id, c.merged_into_id from up join contacts_contact c on c.id = up.merged_into_id
    ), family as (
        select id from up
        union
        select c.id from family join contacts_contact c on c.merged_into_id = family.id
    )
    select id from family"""


# How a mark is put in place of a word: by column type, and with something of its own where the column is unique.
IN_TEXT = """regexp_replace({column}, %(pattern)s, %(erased)s, 'gi')"""
IN_UNIQUE = """regexp_replace({column}, %(pattern)s, %(erased)s || md5(random()::text), 'gi')"""
IN_JSON = """regexp_replace({column}::text, %(pattern)s, %(erased)s, 'gi')::jsonb"""


def erase_mention(table: str, column: str, mark: str) -> str:
    """Return the statement that replaces a word, whatever its case, in a column, where it is no part of more."""
    column = f'"{column}"'
    return f"""
        update "{table}" set {column} = {mark.format(column=column)}
        where position(lower(%(word)s) in lower({column}::text)) > 0 and {column}::text ~* %(pattern)s"""  # noqa: S608 - our own tables
