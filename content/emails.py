"""The mails of the worked examples. Their words stand in ``content/templates/emails/<id>/``."""

from hogsend.authoring import Email

# People can unsubscribe from a journey's mail; "transactional" is for what they must get, like a receipt.
welcome = Email("welcome", category="journey", name="Welcome")

activation_nudge = Email("activation-nudge", category="journey", name="Activation: what to try next")

activation_community = Email("activation-community", category="journey", name="Activation: the community")

first_order = Email(
    "first-order",
    category="journey",
    name="Thanks for the first order",
    sample={"event": {"cds": 2, "dollars": 29.33}},
)

come_back = Email("come-back", category="journey", name="Come back: what is new")
