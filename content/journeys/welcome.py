from content import names
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="activation-welcome",
    trigger=names.USER_CREATED,
    name="Activation: welcome series",
    description="Greet new people, help those who do not get going, and show more to those who do.",
    entry_limit="once",
    exit_on=[names.USER_DELETED],
)
def activation_welcome(user: User, ctx: Context) -> None:
    send_email(user, "welcome")
    ctx.sleep(days(2), label="settled-in")
    if ctx.history.has_event(names.FEATURE_USED):
        send_email(user, "activation-advanced")
    else:
        send_email(user, "activation-nudge")
    ctx.sleep(days(2), label="looked-around")
    send_email(user, "activation-community")
