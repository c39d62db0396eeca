from content import names
from content.buckets.went_dormant import went_dormant
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="reactivation-dormancy",
    trigger=names.USER_DORMANCY_DETECTED,
    name="Reactivation: dormancy",
    description="Ask people who stay away how they are, make one offer, and then leave them alone.",
    entry_limit="once_per_period",
    entry_period=days(60),
    exit_on=[names.USER_DELETED, names.SESSION_COMPLETED, names.FEATURE_USED, went_dormant.left],
)
def reactivation_dormancy(user: User, ctx: Context) -> None:
    send_email(user, "reactivation-checkin", props={"days_away": 14})
    ctx.sleep(days(7), label="three-weeks")
    send_email(user, "reactivation-checkin", props={"days_away": 21})

    ctx.sleep(days(9), label="a-month")
    if user.properties.get("plan") == "paid":
        send_email(user, "conversion-winback-offer", props={"is_customer": True, "discount_percent": 30})
    else:
        send_email(user, "conversion-winback-offer", props={"discount_percent": 20, "expires_in": "7 days"})

    ctx.sleep(days(15), label="six-weeks")
    send_email(user, "reactivation-final-nudge")
    ctx.trigger(names.USER_SUPPRESSED)
