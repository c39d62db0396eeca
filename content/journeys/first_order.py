from content import names
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="first-order",
    trigger=names.ORDER_COMPLETED,
    name="First order",
    description="Thank people for their first order and let them be for two weeks.",
    entry_limit="once",
    exit_on=[names.USER_DELETED],
)
def first_order(user: User, ctx: Context) -> None:
    send_email(user, "first-order")
    ctx.sleep(days(14), label="enjoying-it")
    ctx.checkpoint("settled")
