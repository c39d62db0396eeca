"""Hogsend: a self-hosted lifecycle e-mail engine."""

__version__ = "0.1.0"
