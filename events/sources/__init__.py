"""Webhook sources: deliveries of other products, proven, translated to events, and kept when that goes wrong."""
