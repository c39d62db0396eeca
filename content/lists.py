from hogsend.authoring import EmailList

product_updates = EmailList(
    "product-updates",
    name="Product updates",
    description="What is new, about once a month.",
    default_opt_in=False,
)
