"""The SQL of people and keys. Look-ups are probes (lateral, offset 0), never joins: young tables have no statistics."""

# Two kinds of lock, always in this order: all keys by number, then all contacts by id. What is locked in one
# statement is read in a later one, whose snapshot is younger than the lock.
LOCK_KEYS = "select pg_advisory_xact_lock(n) from unnest(%s::bigint[]) n"
LOCK_CONTACTS = """
    select s.id, pg_advisory_xact_lock(hashtextextended(s.id::text, 0))
    from (select distinct id from unnest(%s::uuid[]) id order by 1) s"""
HOLD_CONTACTS = """
    select count(*) from (
        select pg_advisory_xact_lock(hashtextextended(s.id::text, 0))
        from (select distinct id from unnest(%s::uuid[]) id order by 1) s offset 0) held"""
TRY_CONTACTS = "select pg_try_advisory_xact_lock(hashtextextended(id::text, 0)) from unnest(%s::uuid[]) id"
# Functions of contacts/migrations/0003.
BEGIN = "select contacts_begin($1, $2, $3, $4)"
FIND = "select contacts_find($1, $2)"
LOCK_AND_READ = "select contacts_lock_and_read($1, $2, $3, $4)"
WRITE = f"select contacts_write({', '.join(f'${n}' for n in range(1, 25))})"
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
READ_LIVING = f"""{CHAIN}
    select chain.start, c.id
    from chain cross join lateral (select * from contacts_contact c where c.id = chain.id offset 0) c
    where chain.merged_into_id is null and c.deleted_at is null"""  # noqa: S608 - made of constants
# What the survivor says about itself wins; the absorbed fills what is missing. A person's word wins over a guess.
KNOWS_BETTER = """a.timezone is not null and (s.timezone is null or (
        s.timezone_source in ('posthog_timezone', 'posthog_geoip')
        and coalesce(a.timezone_source, '') not in ('posthog_timezone', 'posthog_geoip')))"""
GROW = f"""
    update contacts_contact s set
        external_id = coalesce(s.external_id, a.external_id),
        email = coalesce(s.email, a.email),
        anonymous_id = coalesce(s.anonymous_id, a.anonymous_id),
        timezone = case when {KNOWS_BETTER} then a.timezone else s.timezone end,
        timezone_source = case when {KNOWS_BETTER} then a.timezone_source else s.timezone_source end,
        properties = a.properties || s.properties,
        first_seen_at = least(s.first_seen_at, a.first_seen_at),
        last_seen_at = greatest(s.last_seen_at, a.last_seen_at),
        updated_at = %s
    from contacts_contact a where s.id = %s and a.id = %s"""  # noqa: S608 - made of constants
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
