"""Whole features against a real Asterisk and real SIP calls, as the operator sees them."""
