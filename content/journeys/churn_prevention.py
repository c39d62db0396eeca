from content import names
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="churn-prevention",
    trigger=names.PAYMENT_FAILED,
    name="Churn: payment failed",
    description="Tell people that a payment failed, twice more before their access ends, and stop as soon as they pay.",
    entry_limit="once_per_period",
    entry_period=days(7),
    exit_on=[names.PAYMENT_SUCCEEDED, names.SUBSCRIPTION_CANCELLED, names.USER_DELETED],
)
def churn_prevention(user: User, ctx: Context) -> None:
    send_email(user, "churn-payment-failed")

    # Whoever pays leaves by exit_on, wherever they are; nothing here has to ask.
    ctx.sleep(days(1), label="a-day-later")
    send_email(user, "churn-payment-failed", props={"grace_days": 2})

    ctx.sleep(days(2), label="the-last-day")
    send_email(user, "churn-payment-failed", props={"grace_days": 1})
