"""Who may use a recording, for which purpose, and which parts may be heard.

Purpose limitation, roles, audibility and the state machine of hearing by telephone are here.
Rows, files and channels of these acts are in ``app/access``. May import ``call``, ``policy``,
``audit`` and ``recording``.
"""
