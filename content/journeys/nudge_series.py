from content import names
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="activation-nudge-series",
    trigger=names.USER_CREATED,
    name="Activation: nudges",
    description="Remind people of the next step, until they have made the product theirs.",
    entry_limit="once",
    exit_on=[names.USER_DELETED, names.USER_ACTIVATED],
)
def activation_nudge_series(user: User, ctx: Context) -> None:
    ctx.sleep(days(2), label="first-look")
    # Two of the four mails are also in the welcome series; nobody shall get them from both.
    is_welcomed = ctx.history.journey("activation-welcome").entry_count > 0
    if not is_welcomed and not ctx.history.has_event(names.FEATURE_USED, within=days(2)):
        send_email(user, "activation-nudge")

    ctx.sleep(days(1), label="setup-time")
    if not ctx.history.has_event(names.SETUP_COMPLETED, within=days(3)):
        send_email(user, "activation-quickstart")

    ctx.sleep(days(2), label="first-value")
    if ctx.history.has_event(names.VALUE_DELIVERED):
        send_email(user, "activation-feature-highlight")

    ctx.sleep(days(2), label="settled")
    if not is_welcomed:
        send_email(user, "activation-community")
