"""Which notice, consent and purposes apply to a call, and why.

Terms, rules, matching and the resulting plan are here. How the settings of a site become policies
is in ``config`` and ``app/policy``, and what a policy does to a live call is in ``domain/call``.
May import ``disclosure``, ``retention`` and ``purposes``.
"""
