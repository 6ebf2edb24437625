"""``asterisk-compliance requests``."""
