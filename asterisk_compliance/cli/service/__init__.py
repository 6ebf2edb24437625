"""``asterisk-compliance serve``, ``status`` and ``watchdog``."""
