"""Records of provision to third parties, and of receipt from them.

Their contents and checks are in ``domain/third_parties``. May import ``policy``, ``audit`` and
``shared``.
"""
