"""``asterisk-compliance audit``."""
