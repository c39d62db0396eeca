from hogsend.authoring import Bucket, all_of, days, prop

trial_expiring_soon = Bucket(
    "trial-expiring-soon",
    name="Trial expiring soon",
    description="People on trial with three days left or less who have not become customers.",
    criteria=all_of(
        prop("plan").eq("trial"),
        prop("trial_days_left").lte(3),
        prop("converted").neq(True),
    ),
    entry_limit="once",
    max_dwell=days(14),
)
