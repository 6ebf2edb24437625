"""``asterisk-compliance provisions``."""
