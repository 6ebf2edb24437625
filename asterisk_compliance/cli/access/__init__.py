"""``asterisk-compliance recordings``."""
