from content import names
from hogsend.authoring import Bucket, days, event

big_spenders = Bucket(
    "big-spenders",
    name="Big spenders",
    description="People who ordered at least five times within a year.",
    criteria=event(names.ORDER_COMPLETED).within(days(365)).at_least(5),
)
