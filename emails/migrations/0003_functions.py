from django.db import migrations

# Each statement of a volatile function sees what was committed before it, so what is locked in one is read in the next.
# Look-ups are index probes whatever the statistics say (lateral, offset 0), and their plans are kept.
SETTINGS = "set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off"
# Nobody is told of who lives on as another, unless that is asked for: whoever calls locks the survivor then.
PERSON = f"""
create function emails_person(person uuid, merged_too boolean) returns json language plpgsql volatile {SETTINGS} as $$
begin
    if not merged_too and exists (select from contacts_contact where id = person and merged_into_id is not null) then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended(person::text, 0));
    return (
        select json_build_array(
                   json_build_array(
                       p.id, p.email, p.deleted, p.suppressed, p.unsubscribed_all, p.categories, p.paused_until,
                       p.barred_all, p.barred),
                   c.external_id, c.anonymous_id, c.properties::text)
        from contacts_contact c, preferences_consent(array[person]) p
        where c.id = person and (merged_too or c.merged_into_id is null));
end $$"""
DECIDE = f"""
create function emails_decide(
    person uuid, merged_too boolean, known_as text, asked_by text, asked_by_id text, without text
) returns json language plpgsql volatile {SETTINGS} as $$
declare
    facts json;
    known json;
    last timestamptz;
begin
    facts := emails_person(person, merged_too);
    if known_as is not null then
        select json_build_array(s.id, s.status, s.reason, s.contact_id) into known
        from emails_emailsend s where s.idempotency_key = known_as;
    end if;
    if without is not null then
        select max(coalesce(s.sent_at, s.created_at)) into last from emails_emailsend s
        where s.contact_id = person and s.origin = asked_by and s.origin_id = asked_by_id
            and s.status <> 'skipped' and s.category <> without;
    end if;
    return json_build_array(facts, known, last);
end $$"""
RECORD = f"""
create function emails_record(
    new_id uuid, person uuid, known_as text, asked_by text, asked_by_id text, run uuid, email text, category_ text,
    status_ text, reason_ text, sender text, recipient text, answers_to jsonb, subject_ text, html_ text, text_ text,
    headers_ jsonb, waived boolean, at timestamptz, links jsonb
) returns json language plpgsql volatile {SETTINGS} as $$
begin
    insert into emails_emailsend (
        id, contact_id, idempotency_key, origin, origin_id, run_id, email_id, category, status, reason, error,
        from_email, to_email, reply_to, subject, html, text, headers, skip_preferences, send_after, attempts,
        bounce_type, created_at, updated_at)
    values (
        new_id, person, known_as, asked_by, asked_by_id, run, email, category_, status_, reason_, '',
        sender, recipient, answers_to, subject_, html_, text_, headers_, waived, at, 0, '', at, at)
    on conflict do nothing;
    if not found then
        return (select json_build_array(s.id, s.status, s.reason, s.contact_id) from emails_emailsend s
                where s.idempotency_key = known_as or (known_as is null and s.id = new_id));
    end if;
    if links <> '{{}}' then
        insert into emails_trackedlink (id, send_id, url, click_count, created_at)
        select key::uuid, new_id, value, 0, at from jsonb_each_text(links);
    end if;
    return 'null';
end $$"""
# No row is locked here: it may turn out to be somebody else's, who has to be locked before any row.
HOLD = f"""
create function emails_hold(send uuid, token uuid, person uuid, merged_too boolean) returns json
language plpgsql volatile {SETTINGS} as $$
declare facts json;
begin
    facts := emails_person(person, merged_too);
    return json_build_array(facts, (
        select json_build_array(
                   s.id, s.contact_id, s.email_id, s.category, s.from_email, s.to_email, s.reply_to::text, s.subject,
                   s.html, s.text, s.headers::text, s.skip_preferences, s.attempts, s.provider_started_at)
        from emails_emailsend s
        where s.id = send and s.claim_token = token and s.status = 'sending'));
end $$"""
# As long as most of the claim's time is left no indexed column changes, which is a fraction of the work.
START = f"""
create function emails_start(send uuid, token uuid, at timestamptz, until timestamptz) returns json
language plpgsql volatile {SETTINGS} as $$
begin
    update emails_emailsend
    set provider_started_at = coalesce(provider_started_at, at), updated_at = at,
        claimed_until = case when claimed_until < until - (until - at) / 4 then until else claimed_until end
    where id = send and claim_token = token and status = 'sending';
    return to_json(found);
end $$"""
# The provider's webhook may have been faster and moved the status on.
ACCEPT = f"""
create function emails_accept(send uuid, token uuid, message text, at timestamptz) returns json
language plpgsql volatile {SETTINGS} as $$
begin
    update emails_emailsend
    set status = case when status in ('sending', 'unknown') then 'sent' else status end,
        sent_at = coalesce(sent_at, at), provider_message_id = message, error = '',
        claim_token = null, claimed_until = null, updated_at = at
    where id = send and claim_token = token;
    return to_json(found);
end $$"""
# A message is written once and updated three times on its way; room in its page makes that cheap.
ROOM = "alter table emails_emailsend set (fillfactor = 60)"


class Migration(migrations.Migration):
    dependencies = [
        ("emails", "0002_skip_what_comes_too_soon"),
        ("preferences", "0004_consent_function"),
    ]

    operations = [
        migrations.RunSQL(PERSON, "drop function emails_person"),
        migrations.RunSQL(DECIDE, "drop function emails_decide"),
        migrations.RunSQL(RECORD, "drop function emails_record"),
        migrations.RunSQL(HOLD, "drop function emails_hold"),
        migrations.RunSQL(START, "drop function emails_start"),
        migrations.RunSQL(ACCEPT, "drop function emails_accept"),
        migrations.RunSQL(ROOM, "alter table emails_emailsend reset (fillfactor)"),
    ]
