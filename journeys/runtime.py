"""Advance runs, one slice each: replay the journey's code from the top, to its next wait or its end."""

import os
import socket
import traceback
from collections import Counter
from contextvars import copy_context
from enum import StrEnum
from typing import Final

import structlog
from django.db import connection

from journeys.actions.end import complete_run, fail_run
from journeys.actions.lease import Delay, Due, Lease, claim_due, database_now, push_back, release_lease, take_lease
from journeys.actions.record import Step
from journeys.control import DatabaseAway, JourneyExited, LeaseLost, StepLimitReached, Suspend
from journeys.definitions import Journey, index
from journeys.deploys import DRIFT, absence_of, drift_of
from journeys.heartbeat import heartbeat
from journeys.journal import DATABASE_ERRORS, Journal
from journeys.models import StepStatus
from journeys.reactions import context_of
from journeys.rules import MAX_CRASHES, MAX_STEPS, retry_after, storable, to_json
from journeys.sending import Stage, stage

TRACE_LENGTH: Final = 10_000
SIGNALS: Final = (Suspend, JourneyExited, LeaseLost, StepLimitReached, DatabaseAway)

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of a slice."""

    COMPLETED = "completed"
    SUSPENDED = "suspended"
    EXITED = "exited"
    FAILED = "failed"
    LOST = "lost"
    BUSY = "busy"
    POSTPONED = "postponed"
    BROKEN = "broken"


def advance_due(*, limit: int) -> int:
    """Claim up to ``limit`` wakeups that are due and advance their runs; return how many runs were due."""
    now = database_now()
    due = claim_due(now=now, limit=limit)
    absences = [absence_of(one.journey_id, one.version) for one in due]
    parked = [Delay(one, now + retry_after(one.attempts), why) for one, why in zip(due, absences, strict=True) if why]
    if parked:
        told = Counter(f"{delay.due.journey_id} v{delay.due.version}" for delay in parked)
        log.warning("journeys.parked", runs=len(parked), journeys=dict(told))
        push_back(parked)
    for one, absent in zip(due, absences, strict=True):
        if not absent:
            advance_run(one)
    return len(due)


def advance_run(due: Due) -> Outcome:
    """Play one slice of a run and record its outcome; two workers at once, or one twice, do nothing twice.

    Errors of the database postpone the run, errors of the journey's code fail it. What neither can record is logged and
    leaves the lease to lapse, which counts as a crash.
    """
    try:
        lease = take_lease(due, owner=f"{socket.gethostname()}:{os.getpid()}")
        return Outcome.BUSY if lease is None else _advance(index().by_id[due.journey_id], lease, due)
    except DATABASE_ERRORS as error:
        return _postpone(due, error)
    except Exception:
        log.exception("journeys.slice_broke", run_id=str(due.run_id), journey_id=due.journey_id)
        return Outcome.BROKEN


def _advance(journey: Journey, lease: Lease, due: Due) -> Outcome:
    with heartbeat().watch(lease) as pulse:
        journal = Journal(lease, due, pulse, same_code=lease.code_hash == journey.code_hash_of(due.version))
        try:
            return _play(journey, journal, due)
        except SIGNALS:
            return _ended(journey, journal, due)


def _play(journey: Journey, journal: Journal, due: Due) -> Outcome:
    lease = journal.lease
    if lease.contact_gone:
        journal.leave("contact_deleted")
    if lease.crash_count >= MAX_CRASHES:
        log.error("journeys.crash_loop", run_id=str(lease.run_id), journey_id=journey.id)
        trace = f"crash_loop: {lease.crash_count} workers in a row died while they advanced this run, without progress."
        return _fail(journey, journal, error="crash_loop", trace=trace)
    error = call_journey(journey, journal, version=due.version)
    if journal.ended is not None:
        return _ended(journey, journal, due)
    if isinstance(error, DATABASE_ERRORS):
        return _postpone(due, error, lease)
    if error is not None:
        log.warning("journeys.failed", run_id=str(lease.run_id), journey_id=journey.id, error=repr(error))
        trace = "".join(traceback.format_exception(error))[-TRACE_LENGTH:]
        return _fail(journey, journal, error=f"{type(error).__name__}: {error}", trace=trace)
    steps = [*journal.notes, *_drift(journey, journal)]
    journal.insist(lambda: complete_run(lease, steps, journey_id=journey.id))
    return Outcome.COMPLETED


def _drift(journey: Journey, journal: Journal) -> list[Step]:
    """Return the step that keeps which recorded ones the finished run did not meet, if there are any."""
    dropped = drift_of(journal.unvisited())
    if not dropped:
        return []
    log.warning("journeys.drift", run_id=str(journal.lease.run_id), journey_id=journey.id, steps=dropped)
    told, now = to_json(dropped, what="The drift"), journal.now()
    # Beyond the numbers that a journey's own steps can have: it fits into a journal that is full.
    return [Step(MAX_STEPS + 1, DRIFT, DRIFT, StepStatus.DONE, told, None, now, now)]


def call_journey(journey: Journey, journal: Journal, *, version: int) -> Exception | None:
    """Call the function of a journey's version; return what it raised. Signals are found in ``journal.ended``."""

    def run() -> None:
        context = context_of(journal, journey)
        stage.set(Stage(journal, journey, context.user))
        journey.functions[version](context.user, context)

    error: Exception | None = None
    try:
        copy_context().run(run)
    except SIGNALS:
        return None
    except Exception as raised:  # noqa: BLE001 - whatever an author's code raises becomes the run's outcome
        error = raised
    if journal.ended is not None:
        run_id = str(journal.lease.run_id)
        log.warning("journeys.signal_swallowed", run_id=run_id, journey_id=journey.id, error=repr(error))
    return error


def _ended(journey: Journey, journal: Journal, due: Due) -> Outcome:
    match journal.ended:
        case Suspend():
            return Outcome.SUSPENDED
        case JourneyExited():
            return Outcome.EXITED
        case DatabaseAway(error=error):
            return _postpone(due, error, journal.lease)
        case StepLimitReached():
            journal.notes.clear()
            trace = f"step_limit: a run records at most {MAX_STEPS:,} steps, and this one wanted more. Is there a loop?"
            return _fail(journey, journal, error="step_limit", trace=trace)
        case _:
            log.warning("journeys.lease_lost", run_id=str(journal.lease.run_id), journey_id=journey.id)
            return Outcome.LOST


def _fail(journey: Journey, journal: Journal, *, error: str, trace: str) -> Outcome:
    lease, steps = journal.lease, journal.notes
    told, trace = storable(error[:500]), storable(trace)
    journal.insist(lambda: fail_run(lease, steps, journey_id=journey.id, error=told, trace=trace))
    return Outcome.FAILED


def _postpone(due: Due, error: Exception, lease: Lease | None = None) -> Outcome:
    """Try again later. If the database cannot even note that, the claim lapses by itself."""
    log.warning("journeys.postponed", run_id=str(due.run_id), journey_id=due.journey_id, error=str(error))
    try:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        until = database_now() + retry_after(due.attempts)
        push_back([Delay(due, until, f"The database could not be used; the run tries again: {error}")])
        if lease is not None:
            release_lease(lease)
    except DATABASE_ERRORS as again:
        log.warning("journeys.postponed_silently", run_id=str(due.run_id), error=str(again))
    return Outcome.POSTPONED
