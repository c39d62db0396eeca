"""The journeys of the storm, which do all that a journey can do."""

from contextlib import contextmanager
from typing import Any

from hogsend.authoring import Email, days, hours, journey, send_email
from journeys.definitions import registry
from tests.storm.mortality import call_outside

Email("storm-hello", category="journey", subject="Hello")
Email("storm-bye", category="journey", subject="Bye")


@journey(id="storm", trigger="storm.go", entry_limit="unlimited", exit_on=["storm.stop"])
def storm(user: Any, ctx: Any) -> None:
    ctx.history.has_event("storm.go")
    send_email(user, "storm-hello")
    ctx.once("number", lambda: call_outside(f"once {user.run_id}"))
    ctx.checkpoint("greeted")
    ctx.step("account", call_outside)
    answer = ctx.wait_for_event("storm.reply", timeout=days(3), label="answer")
    ctx.identify(answered=bool(answer))
    ctx.trigger("storm.told", user_id=f"{user.id}-friend", email=f"{user.id}-friend@example.com")
    ctx.step("coupon", call_outside)
    ctx.posthog.capture("storm.answered", {"came": bool(answer)})
    ctx.sleep(hours(1), label="nap")
    ctx.guard.is_subscribed()
    ctx.now()
    ctx.wait_for_event("storm.never", timeout=days(1), label="silence")
    send_email(user, "storm-bye")


@journey(id="storm-friend", trigger="storm.told", entry_limit="unlimited")
def storm_friend(user: Any, ctx: Any) -> None:
    send_email(user, "storm-hello")
    ctx.trigger("storm.heard")


@journey(id="storm-listener", trigger="storm.listen", entry_limit="unlimited")
def storm_listener(user: Any, ctx: Any) -> None:
    answer = ctx.wait_for_event("storm.reply", timeout=days(3), label="answer")
    send_email(user, "storm-hello" if answer else "storm-bye")


@journey(id="storm-edited", trigger="storm.edited", entry_limit="unlimited")
def storm_edited(user: Any, ctx: Any) -> None:
    send_email(user, "storm-hello")
    ctx.checkpoint("greeted")
    ctx.sleep(hours(1), label="nap")
    ctx.once("number", lambda: 7)
    send_email(user, "storm-bye")


def _after_the_edit(user: Any, ctx: Any) -> None:
    send_email(user, "storm-hello", subject="Hello again")
    send_email(user, "storm-hello", key="again")
    ctx.sleep(hours(2), label="nap")
    send_email(user, "storm-bye")
    ctx.sleep(hours(1), label="rest")


def _edit() -> Any:
    with registry.scratch():
        registry._items.clear()
        return journey(id="storm-edited", trigger="storm.edited", entry_limit="unlimited")(_after_the_edit)


EDITED = _edit()


@contextmanager
def other_code(*, edited: bool) -> Any:
    """Run the edited code, if it is, for the length of the block."""
    before = registry._items["storm-edited"]
    if edited:
        registry._items["storm-edited"] = EDITED
    try:
        yield
    finally:
        registry._items["storm-edited"] = before
