from content import names
from hogsend.authoring import Context, User, days, hours, journey, send_email


@journey(
    id="referral-invite",
    trigger=names.MILESTONE_REACHED,
    name="Referral: invite a friend",
    description="Ask people who are busy with the product to pass it on, when they have a reason to be pleased.",
    entry_limit="once_per_period",
    entry_period=days(7),
    exit_on=[names.USER_DELETED],
)
def referral_invite(user: User, ctx: Context) -> None:
    ctx.sleep(hours(2), label="pleased")
    if not ctx.history.has_event(names.SESSION_COMPLETED, within=days(30)):
        ctx.exit("not busy with it")
    send_email(user, "referral-invite")
