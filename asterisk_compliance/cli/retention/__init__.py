"""``asterisk-compliance retention``, ``holds`` and ``persons``."""
