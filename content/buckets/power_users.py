from content import names
from hogsend.authoring import Bucket, days, event

power_users = Bucket(
    "power-users",
    name="Power users",
    description="People who use what matters most at least ten times a month.",
    criteria=event(names.KEY_ACTION).within(days(30)).at_least(10),
    # Use goes up and down; who was out for less than a week is not announced again.
    entry_limit="once_per_period",
    entry_period=days(7),
)
