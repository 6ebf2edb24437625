"""Rows of the audit log: their kinds, their one written form, and what proves them."""
