"""What happens to runs when two people become one, and when somebody goes."""

from datetime import timedelta

from contacts.actions import delete_contact, merge_contacts, undo_merge
from hogsend.authoring import days, journey, send_email
from journeys.actions.lease import database_now
from journeys.models import EnrolmentSkip, JourneyRun, Wakeup


def two_mails(**options):
    @journey(id="two-mails", trigger="started", **options)
    def run(user, ctx):
        send_email(user, "hello")
        ctx.sleep(days(2), label="nap")
        send_email(user, "bye")

    return run


def merged(survivor, absorbed):
    return merge_contacts(survivor_id=survivor.id, absorbed_id=absorbed.id, actor="staff", now=database_now())


def test_a_sleeping_run_goes_on_with_the_survivor(world, db):
    two_mails()
    ada, visitor = world.person("ada"), world.person("visitor", email="visitor@example.com")
    world.event(visitor, "started")
    world.advance()

    merged(ada, visitor)
    world.wake()

    run = world.run()
    assert (run.contact_id, run.status) == (ada.id, "completed")
    assert world.sent(ada) == ["hello", "bye"]


def test_of_two_runs_of_one_journey_the_survivors_goes_on(world, db):
    two_mails()
    ada, visitor = world.person("ada"), world.person("visitor")
    for one in (ada, visitor):
        world.event(one, "started")
    world.advance()
    kept, ended = world.run(ada), world.run(visitor)

    merged(ada, visitor)

    kept.refresh_from_db(), ended.refresh_from_db()
    assert (kept.status, ended.status, ended.exit_reason) == ("waiting", "exited", "merged")
    assert {kept.contact_id, ended.contact_id} == {ada.id}
    assert not Wakeup.objects.filter(run=ended).exists()
    world.wake()
    assert world.sent(ada).count("bye") == 1


def test_runs_that_both_ended_are_both_kept(world, db):
    two_mails()
    ada, visitor = world.person("ada"), world.person("visitor")
    for one in (ada, visitor):
        world.event(one, "started")
    world.advance()
    world.wake()

    merged(ada, visitor)

    assert list(JourneyRun.objects.values_list("contact_id", "status")) == [(ada.id, "completed")] * 2


def test_who_the_survivor_became_has_entered_once(world, db):
    two_mails(entry_limit="once")
    ada, visitor = world.person("ada"), world.person("visitor")
    world.event(visitor, "started")
    merged(ada, visitor)
    world.event(ada, "started")
    assert JourneyRun.objects.count() == 1
    assert EnrolmentSkip.objects.get().reason == "already_entered_once"


def test_a_run_that_only_the_merge_had_ended_goes_on_when_it_is_undone(world, db):
    two_mails()
    ada, visitor = world.person("ada"), world.person("visitor")
    for one in (ada, visitor):
        world.event(one, "started")
    world.advance()
    ended = world.run(visitor)

    undo_merge(merge_id=merged(ada, visitor).pk, actor="staff", now=database_now())
    world.advance()

    ended.refresh_from_db()
    assert (ended.contact_id, ended.status) == (visitor.id, "waiting")
    assert Wakeup.objects.get(run=ended).due_at > database_now() + timedelta(days=1)
    world.wake()
    assert world.sent(visitor) == ["hello", "bye"]


def test_somebody_who_is_deleted_leaves_every_journey(world, db):
    two_mails()
    ada = world.person("ada")
    world.event(ada, "started")
    world.advance()

    delete_contact(contact_id=ada.id, now=database_now())
    world.wake()

    run = world.run()
    assert (run.status, run.exit_reason, Wakeup.objects.count()) == ("exited", "contact_deleted", 0)
    assert world.sent(ada) == ["hello"]
