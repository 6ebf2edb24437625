"""How long recordings are kept, which legal holds protect them, and when persons are erased.

These are rules on values. Plans over a real vault and the removal itself are in
``app/retention``. May import ``audit``, ``purposes`` and ``periods``.
"""
