from content import names
from hogsend.authoring import Bucket, days, event

one_time_buyers = Bucket(
    "one-time-buyers",
    name="One-time buyers",
    description="People who ordered exactly once, and have had 30 days to come back.",
    criteria=event(names.ORDER_COMPLETED).exactly(1) & event(names.ORDER_COMPLETED).within(days(30)).never(),
)
