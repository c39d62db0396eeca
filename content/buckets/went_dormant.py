from content import names
from hogsend.authoring import Bucket, ReactionContext, User, days, event, send_email

went_dormant = Bucket(
    "went-dormant",
    name="Went dormant",
    description="People who used the product and have not done so for a week.",
    criteria=event(names.APP_ACTIVE).exists() & event(names.APP_ACTIVE).within(days(7)).never(),
    fast_expiry=True,
)


@went_dormant.on("dwell", after=days(30))
def invite_back(user: User, ctx: ReactionContext) -> None:
    """Write once to those who stay away for a month more."""
    send_email(user, "reactivation-final-nudge")
    ctx.checkpoint("invited")
