import time
from datetime import timedelta
from pathlib import Path

from hogsend.authoring import journey, send_email


@journey(id="story-walk", trigger="story.walk", entry_limit="once", exit_on=["story.stop"])
def walk(user, ctx):
    send_email(user, "story-hello")
    ctx.sleep(timedelta(seconds=2), label="nap")
    send_email(user, "story-goodbye")


@journey(id="story-long", trigger="story.long", entry_limit="once")
def long(user, ctx):
    send_email(user, "story-hello")
    ctx.sleep(timedelta(days=400), label="hibernation")
    send_email(user, "story-goodbye")


@journey(id="story-stuck", trigger="story.stuck", entry_limit="once")
def stuck(user, ctx):
    """Stand still between two mails for as long as the file named by the event exists."""
    send_email(user, "story-hello")
    gate = Path(user.properties["gate"])
    with Path(user.properties["log"]).open("a") as log:
        log.write("reached\n")
    while gate.exists():
        time.sleep(0.02)
    send_email(user, "story-goodbye")
