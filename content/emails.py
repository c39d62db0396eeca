"""The mails of the worked examples. Their words stand in ``content/templates/emails/<id>/``."""

from hogsend.authoring import Email

# People can unsubscribe from a journey's mail; "transactional" is for what they must get, like a receipt.
welcome = Email("welcome", category="journey", name="Welcome")

activation_advanced = Email("activation-advanced", category="journey", name="Activation: what to do with more")

activation_nudge = Email("activation-nudge", category="journey", name="Activation: what to try next")

activation_quickstart = Email("activation-quickstart", category="journey", name="Activation: finish the setup")

activation_feature_highlight = Email(
    "activation-feature-highlight",
    category="journey",
    name="Activation: a feature that fits",
    sample={"feature": "Timelines", "is_paid": True},
)

activation_community = Email("activation-community", category="journey", name="Activation: the community")

conversion_usage_milestone = Email(
    "conversion-usage-milestone",
    category="journey",
    name="Conversion: the trial is used",
    sample={"event": {"seats": 4}},
)

conversion_trial_expiring = Email(
    "conversion-trial-expiring", category="journey", name="Conversion: the trial ends", sample={"days_left": 3}
)

conversion_abandoned_checkout = Email(
    "conversion-abandoned-checkout",
    category="journey",
    name="Conversion: the order was not finished",
    sample={"event": {"plan": "Team"}},
)

conversion_winback_offer = Email(
    "conversion-winback-offer",
    category="journey",
    name="Conversion: an offer",
    sample={"discount_percent": 20, "expires_in": "7 days", "is_customer": False},
)

retention_achievement = Email(
    "retention-achievement",
    category="journey",
    name="Retention: a milestone",
    sample={"event": {"milestone": "100 reports"}},
)

referral_invite = Email("referral-invite", category="journey", name="Referral: invite a friend")

reactivation_checkin = Email(
    "reactivation-checkin", category="journey", name="Reactivation: is all well?", sample={"days_away": 14}
)

reactivation_final_nudge = Email("reactivation-final-nudge", category="journey", name="Reactivation: the last mail")

feedback_nps_survey = Email(
    "feedback-nps-survey", category="journey", name="Feedback: one question", sample={"reminder": False}
)

churn_payment_failed = Email(
    "churn-payment-failed",
    category="transactional",
    name="Churn: a payment failed",
    sample={"grace_days": 2, "event": {"amount": "49.00", "currency": "EUR"}},
)

first_order = Email(
    "first-order",
    category="journey",
    name="Thanks for the first order",
    sample={"event": {"cds": 2, "dollars": 29.33}},
)
