from content import names
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="retention-milestone",
    trigger=names.MILESTONE_REACHED,
    name="Retention: milestone",
    description="Congratulate people on each milestone, and show them who else is there.",
    entry_limit="unlimited",
    exit_on=[names.USER_DELETED],
)
def retention_milestone(user: User, ctx: Context) -> None:
    send_email(user, "retention-achievement")
    ctx.sleep(days(1), label="enjoyed")
    send_email(user, "activation-community")
