"""Content for the acceptance tests: journeys whose waits last seconds."""
