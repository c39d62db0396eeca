from content import names
from hogsend.authoring import Bucket, days, event

dormant_customers = Bucket(
    "dormant-customers",
    name="Dormant customers",
    description="People who ordered once and have not done so for 90 days.",
    criteria=event(names.ORDER_COMPLETED).exists() & event(names.ORDER_COMPLETED).within(days(90)).never(),
)
