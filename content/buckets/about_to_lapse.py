from content import names
from hogsend.authoring import Bucket, days, event

about_to_lapse = Bucket(
    "about-to-lapse",
    name="About to lapse",
    description="People whose last order is more than 60 days old, and not yet 90.",
    criteria=(
        event(names.ORDER_COMPLETED).within(days(90)).exists() & event(names.ORDER_COMPLETED).within(days(60)).never()
    ),
)
