"""``asterisk-compliance init`` and ``uninstall``."""
