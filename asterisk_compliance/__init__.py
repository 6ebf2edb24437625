"""Compliant call recording for Asterisk: told first, recorded after, provable for years."""

__version__ = "0.1.0"
