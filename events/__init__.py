"""What people did: the one door for every event, and the order in which the product hears of it."""
