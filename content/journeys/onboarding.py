from content import names
from hogsend.authoring import Context, User, journey


@journey(
    id="test-onboarding",
    trigger=names.TEST_SIGNUP,
    name="Test: onboarding",
    description="Shows that a new installation works: events go in, events come out, nobody is mailed.",
    entry_limit="unlimited",
)
def onboarding(user: User, ctx: Context) -> None:
    ctx.trigger(names.JOURNEY_WELCOME_FIRED)
    is_pro = user.properties.get("plan") == "pro"
    ctx.trigger(names.JOURNEY_PRO_PATH if is_pro else names.JOURNEY_FREE_PATH)
    ctx.trigger(names.JOURNEY_COMPLETED)
