"""The SQL of consent. Look-ups are probes (lateral, offset 0), as in contacts/statements.py."""

# The salt has no model, so that emptying the tables of the apps does not open every tombstone at once.
HASH = "sha256((select salt from preferences_salt) || convert_to(lower(btrim({address})), 'UTF8'))"

# Every address somebody was ever known by: who refused mail under one of them has refused it.
ADDRESSES = """(
    select email as value from contacts_contact where id = {contact} and email is not null
    union
    select value from (select kind, value from contacts_contactkey where contact_id = {contact} offset 0) as known
     where kind = 'email')"""

TOMBSTONES = f"""(
    select stone.unsubscribed_all, stone.categories
      from {ADDRESSES} as address
     cross join lateral (select unsubscribed_all, categories from preferences_tombstone
                          where address_hash = {HASH.format(address="address.value")} offset 0) as stone)"""  # noqa: S608 - made of constants

SUPPRESSED = f"""(
    exists (select from preferences_suppression
             where email = lower(btrim({{address}})) and suppressed_at is not null)
    or exists (select from preferences_tombstone
                where address_hash = {HASH.format(address="{address}")} and suppressed))"""  # noqa: S608

SUPPRESSED_AMONG = (
    f"select asked.email from unnest(%s::text[]) as asked (email) where {SUPPRESSED.format(address='asked.email')}"  # noqa: S608
)

# Whether a person has left all mail, for statements of the apps above; {contact} is an id with the name of its table.
LEFT_ALL_MAIL = f"""(
    exists (select from preferences_preference where contact_id = {{contact}} and unsubscribed_all)
    or exists (select from {TOMBSTONES} as barred where unsubscribed_all))"""  # noqa: S608

CONSENT = "select * from preferences_consent(%s::uuid[])"  # preferences/migrations/0004

WRITE = """
insert into preferences_preference as known
       (contact_id, unsubscribed_all, categories, paused_until, created_at, updated_at)
select said.contact_id, said.unsubscribed_all, said.categories::jsonb, said.paused_until, clock.now, clock.now
  from unnest(%s::uuid[], %s::bool[], %s::text[], %s::timestamptz[])
       as said (contact_id, unsubscribed_all, categories, paused_until)
 cross join (select %s::timestamptz as now) as clock
 order by 1
on conflict (contact_id) do update
   set unsubscribed_all = excluded.unsubscribed_all,
       categories = excluded.categories,
       paused_until = excluded.paused_until,
       updated_at = excluded.updated_at"""

LIFT = f"""
update preferences_tombstone as stone
   set unsubscribed_all = stone.unsubscribed_all and not lifted.all_mail,
       categories = stone.categories - array(select jsonb_array_elements_text(lifted.categories::jsonb)),
       updated_at = %s
  from unnest(%s::uuid[], %s::bool[], %s::text[]) as lifted (contact_id, all_mail, categories)
 cross join lateral {ADDRESSES.format(contact="lifted.contact_id")} as address
 where stone.address_hash = {HASH.format(address="address.value")}
returning stone.id"""  # noqa: S608

FORGET = """
delete from preferences_tombstone
 where id = any(%s) and not unsubscribed_all and not suppressed and categories = '{}'"""

BURY = f"""
insert into preferences_tombstone as known
       (address_hash, unsubscribed_all, categories, suppressed, created_at, updated_at)
select {HASH.format(address="address.value")},
       bool_or(said.unsubscribed_all),
       coalesce(jsonb_object_agg(refused.category, false) filter (where refused.category is not null), '{{}}'),
       false, clock.now, clock.now
  from unnest(%s::uuid[]) as asked (id)
 cross join (select %s::timestamptz as now) as clock
 cross join lateral (select id from contacts_contact where id = asked.id offset 0) as contact
 cross join lateral (select unsubscribed_all, categories from preferences_preference where contact_id = contact.id
                     union all
                     select stone.unsubscribed_all, stone.categories
                       from {TOMBSTONES.format(contact="contact.id")} as stone) as said
  left join lateral (select key as category from jsonb_each(said.categories) where value = 'false') as refused on true
 cross join lateral {ADDRESSES.format(contact="contact.id")} as address
 where said.unsubscribed_all or refused.category is not null
 group by 1, clock.now
 order by 1
on conflict (address_hash) do update
   set unsubscribed_all = known.unsubscribed_all or excluded.unsubscribed_all,
       categories = known.categories || excluded.categories,
       updated_at = excluded.updated_at"""  # noqa: S608

BURY_SUPPRESSIONS = f"""
with gone as (
    delete from preferences_suppression
     where email in (select lower(btrim(address)) from unnest(%s::text[]) as address)
    returning email, suppressed_at
)
insert into preferences_tombstone as known
       (address_hash, unsubscribed_all, categories, suppressed, created_at, updated_at)
select {HASH.format(address="gone.email")}, false, '{{}}', true, clock.now, clock.now
  from gone cross join (select %s::timestamptz as now) as clock
 where gone.suppressed_at is not null
 order by 1
on conflict (address_hash) do update set suppressed = true, updated_at = excluded.updated_at"""  # noqa: S608

UNBURY_SUPPRESSION = f"""
update preferences_tombstone set suppressed = false
 where suppressed and address_hash = {HASH.format(address="%s::text")}
returning id"""  # noqa: S608

SUPPRESS = """
insert into preferences_suppression as known
       (id, email, reason, bounce_count, suppressed_at, last_bounce_at, created_at)
select %(id)s, %(email)s, %(reason)s, bounces, at, case when bounces > 0 then at end, at
  from (values (%(bounces)s::int, %(now)s::timestamptz)) as given (bounces, at)
on conflict (email) do update
   set reason = case when 'complaint' in (known.reason, excluded.reason) then 'complaint'
                     else coalesce(known.reason, excluded.reason) end,
       bounce_count = known.bounce_count + excluded.bounce_count,
       suppressed_at = coalesce(known.suppressed_at, excluded.suppressed_at),
       last_bounce_at = greatest(known.last_bounce_at, excluded.last_bounce_at)"""

PAUSE = """
insert into preferences_preference as preference
       (contact_id, unsubscribed_all, categories, paused_until, created_at, updated_at)
select id, false, '{}'::jsonb, %(until)s, %(now)s, %(now)s
  from contacts_contact
 where id = %(contact)s
   and (%(until)s::timestamptz is not null
        or exists (select from preferences_preference where contact_id = %(contact)s))
on conflict (contact_id) do update
   set paused_until = excluded.paused_until, updated_at = excluded.updated_at
 where preference.paused_until is distinct from excluded.paused_until
returning contact_id"""
