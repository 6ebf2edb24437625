"""``asterisk-compliance incidents``."""
