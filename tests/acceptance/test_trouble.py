"""What may die while a run is on its way: workers, the broker, deliveries of a task. One mail each, all the same."""

from pathlib import Path

import pytest
from product import Product, Sink, eventually

pytestmark = [pytest.mark.timeout(240), pytest.mark.storm]


def stuck_run(product: Product, person: str, tmp_path: Path) -> Path:
    """Start a run that stands still between its two mails; return the file that keeps it there."""
    gate, log = tmp_path / "gate", tmp_path / "log"
    gate.touch()
    product.event("story.stuck", person, eventProperties={"gate": str(gate), "log": str(log)})
    eventually(log.exists)
    return gate


def test_a_worker_killed_in_the_middle_of_a_run_costs_no_mail_and_doubles_none(
    product: Product, sink: Sink, tmp_path: Path
):
    gate = stuck_run(product, "finn", tmp_path)
    # The same worker delivers: killed between hand-over and answer it would leave the mail unknown, another story.
    eventually(lambda: product.rows("select 1 from emails_emailsend where to_email like 'finn@%%' and status = 'sent'"))

    product.kill("worker-journeys")
    gate.unlink()
    product.start("worker-journeys")

    eventually(lambda: product.run_status("story-stuck", "finn") == "completed", within=90)
    eventually(lambda: len(sink.to("finn@example.com")) >= 2)
    assert sink.subjects("finn@example.com") == ["Hello there", "Goodbye"]


def test_two_workers_and_redelivered_tasks_advance_one_run_once(product: Product, sink: Sink, tmp_path: Path):
    product.start("worker-journeys", alias="worker-journeys-2")
    gate = stuck_run(product, "gil", tmp_path)

    for name in ("journeys.advance", "emails.deliver"):
        for _ in range(20):
            ring(product, name)
    gate.unlink()

    eventually(lambda: product.run_status("story-stuck", "gil") == "completed", within=60)
    eventually(lambda: len(sink.to("gil@example.com")) >= 2)
    assert sink.subjects("gil@example.com") == ["Hello there", "Goodbye"]
    product.kill("worker-journeys-2")


def test_a_broker_that_lost_everything_delays_a_sleeping_run_and_loses_nothing(product: Product, sink: Sink):
    product.event("story.walk", "hana")
    eventually(lambda: product.run_status("story-walk", "hana") == "waiting")

    product.redis().flushdb()

    eventually(lambda: product.run_status("story-walk", "hana") == "completed", within=60)
    eventually(lambda: len(sink.to("hana@example.com")) >= 2)
    assert sink.subjects("hana@example.com") == ["Hello there", "Goodbye"]


def test_a_sleep_of_400_days_ends_when_the_clock_says_so(product: Product, sink: Sink):
    product.event("story.long", "ida")
    eventually(lambda: product.run_status("story-long", "ida") == "waiting")
    due = "select w.due_at - now() > interval '399 days' from journeys_wakeup w"
    assert product.rows(due) == [(True,)]

    product.rows(
        "with w as (update journeys_wakeup set due_at = now() returning run_id, step_key)"
        " update journeys_journeystep s set deadline = now() from w where s.run_id = w.run_id and s.key = w.step_key"
        " returning 1"
    )

    eventually(lambda: product.run_status("story-long", "ida") == "completed")
    eventually(lambda: len(sink.to("ida@example.com")) >= 2)


def test_an_accepted_event_survives_the_death_of_every_process(product: Product, sink: Sink):
    product.kill("worker-journeys")
    product.event("story.walk", "jo")
    product.kill("web")
    product.redis().flushdb()

    product.start("web")
    product.start("worker-journeys")

    eventually(lambda: product.run_status("story-walk", "jo") == "completed", within=60)
    eventually(lambda: len(sink.to("jo@example.com")) >= 2)
    assert sink.subjects("jo@example.com") == ["Hello there", "Goodbye"]


def ring(product: Product, name: str) -> None:
    """Deliver a task by hand, as a broker that redelivers would."""
    from celery import Celery
    from kombu import Queue

    from hogsend.embedded.endpoints import celery_broker_url

    app = Celery(broker=celery_broker_url(product.redis_url))
    app.conf.task_queues = [Queue("journeys"), Queue("mail")]
    app.send_task(name, queue="journeys" if name.startswith("journeys") else "mail")
    app.close()
