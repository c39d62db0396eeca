from content import names
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="feedback-nps",
    trigger=names.USER_CREATED,
    name="Feedback: recommendation",
    description="Ask people after two weeks, and once more after two months, whether they would recommend us.",
    entry_limit="once",
    exit_on=[names.USER_DELETED, names.NPS_SUBMITTED],
)
def feedback_nps(user: User, ctx: Context) -> None:
    ctx.sleep(days(14), label="knows-us")
    send_email(user, "feedback-nps-survey")

    ctx.sleep(days(3), label="no-answer")
    # Who answers now has left by exit_on; this is about those who told us before we asked.
    if not ctx.history.has_event(names.NPS_SUBMITTED):
        send_email(user, "feedback-nps-survey", props={"reminder": True})

    ctx.sleep(days(46), label="two-months")
    if not ctx.history.has_event(names.NPS_SUBMITTED):
        send_email(user, "feedback-nps-survey")
