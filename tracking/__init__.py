"""Whether they read it: opens and clicks, and whether a human made them."""
