"""Records of what was provided to third parties, and of what they provided to us.

The contents follow APPI Articles 29 and 30. Saving and reading such a record is in
``app/third_parties``. May import ``audit`` and ``periods``.
"""
