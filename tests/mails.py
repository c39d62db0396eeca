"""The mails that are shipped, all of which are looked at."""

from content import emails as content

MAILS = [
    content.welcome,
    content.activation_advanced,
    content.activation_nudge,
    content.activation_quickstart,
    content.activation_feature_highlight,
    content.activation_community,
    content.conversion_usage_milestone,
    content.conversion_trial_expiring,
    content.conversion_abandoned_checkout,
    content.conversion_winback_offer,
    content.retention_achievement,
    content.referral_invite,
    content.reactivation_checkin,
    content.reactivation_final_nudge,
    content.feedback_nps_survey,
    content.churn_payment_failed,
    content.first_order,
]
