"""Durable journeys: plain Python that waits for months and never does a thing twice."""
