"""Consent: what people allow, which addresses are suppressed, and the pages where people say so."""
