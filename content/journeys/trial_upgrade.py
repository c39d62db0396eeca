from content import names
from hogsend.authoring import Context, User, days, journey, send_email


@journey(
    id="conversion-trial-upgrade",
    trigger=names.TRIAL_STARTED,
    name="Conversion: trial upgrade",
    description="Accompany a trial of two weeks to its end, and make one offer to those who let it end.",
    entry_limit="once",
    exit_on=[names.SUBSCRIPTION_CREATED, names.USER_DELETED],
)
def conversion_trial_upgrade(user: User, ctx: Context) -> None:
    ctx.sleep(days(3), label="first-days")
    if ctx.history.has_event(names.USAGE_MILESTONE_REACHED):
        send_email(user, "conversion-usage-milestone")

    ctx.sleep(days(4), label="first-week")
    if ctx.history.has_event(names.PAID_FEATURE_ATTEMPTED):
        send_email(user, "activation-feature-highlight", props={"is_paid": True})

    ctx.sleep(days(3), label="the-end-is-near")
    send_email(user, "conversion-trial-expiring", props={"days_left": 3})

    ctx.sleep(days(2), label="last-day")
    send_email(user, "conversion-trial-expiring", props={"days_left": 1})

    ctx.sleep(days(2), label="over")
    # Who subscribes now has left by exit_on; this is about those who did before they tried.
    if not ctx.history.has_event(names.SUBSCRIPTION_CREATED):
        send_email(user, "conversion-winback-offer", props={"discount_percent": 20, "expires_in": "7 days"})
