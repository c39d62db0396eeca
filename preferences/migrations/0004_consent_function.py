from django.db import migrations

ADDRESSES = """(
    select email as value from contacts_contact where id = contact.id and email is not null
    union
    select value from (select kind, value from contacts_contactkey where contact_id = contact.id offset 0) as known
     where kind = 'email')"""
HASH = "sha256((select salt from preferences_salt) || convert_to(lower(btrim({address})), 'UTF8'))"
# Plain SQL without settings of its own: the planner writes it out in whatever statement asks.
CONSENT = f"""
create function preferences_consent(asked uuid[]) returns table (
    id uuid, email text, deleted boolean, suppressed boolean, unsubscribed_all boolean, categories jsonb,
    paused_until timestamptz, barred_all boolean, barred jsonb
) language sql stable as $$
    select contact.id,
           contact.email,
           contact.deleted_at is not null,
           exists (select from preferences_suppression
                    where email = lower(btrim(contact.email)) and suppressed_at is not null)
           or exists (select from preferences_tombstone
                       where address_hash = {HASH.format(address="contact.email")} and suppressed),
           coalesce(preference.unsubscribed_all, false),
           preference.categories,
           preference.paused_until,
           coalesce(barred.all_mail, false),
           barred.categories
      from unnest(asked) as asked_for (id)
     cross join lateral (select id, email, deleted_at from contacts_contact where id = asked_for.id offset 0) as contact
      left join lateral (select unsubscribed_all, categories, paused_until
                           from preferences_preference where contact_id = contact.id offset 0) as preference on true
     cross join lateral (
        select bool_or(stone.unsubscribed_all) as all_mail, jsonb_agg(stone.categories) as categories
          from (select stone.unsubscribed_all, stone.categories
                  from {ADDRESSES} as address
                 cross join lateral (select unsubscribed_all, categories from preferences_tombstone
                                      where address_hash = {HASH.format(address="address.value")} offset 0
                 ) as stone) as stone) as barred
$$"""


class Migration(migrations.Migration):
    dependencies = [("preferences", "0003_address_salt"), ("contacts", "0003_functions")]

    operations = [migrations.RunSQL(CONSENT, "drop function preferences_consent")]
