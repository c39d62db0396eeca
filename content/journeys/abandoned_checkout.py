from content import names
from hogsend.authoring import Context, User, days, hours, journey, send_email


@journey(
    id="conversion-abandoned-checkout",
    trigger=names.CHECKOUT_ABANDONED,
    name="Conversion: abandoned checkout",
    description="Remind people of the order that they did not finish, and make one offer a day later.",
    entry_limit="once_per_period",
    entry_period=days(3),
    exit_on=[names.SUBSCRIPTION_CREATED, names.CHECKOUT_COMPLETED],
)
def conversion_abandoned_checkout(user: User, ctx: Context) -> None:
    ctx.sleep(hours(2), label="second-thoughts")
    # The order may have been finished before the shop noticed that another tab was left.
    if ctx.history.has_event(names.CHECKOUT_COMPLETED, within=hours(26)):
        ctx.exit("completed")
    send_email(user, "conversion-abandoned-checkout")

    ctx.sleep(days(1), label="slept-on-it")
    if not ctx.history.has_event(names.CHECKOUT_COMPLETED, within=hours(26)):
        send_email(user, "conversion-winback-offer", props={"discount_percent": 10, "expires_in": "3 days"})
