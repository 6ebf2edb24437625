"""``asterisk-compliance evidence`` and ``export``."""
