"""``asterisk-compliance calls`` and ``do-not-call``."""
