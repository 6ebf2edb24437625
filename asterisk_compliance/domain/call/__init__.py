"""One call as a pure state machine: events in; the next state, commands and rows out.

``machine.py`` handles a call that the service follows, ``recovery.py`` one that it finds again
after an outage. Which policy holds is decided in ``domain/policy``, and commands are performed in
``app/calls``. May import ``policy``, ``audit`` and ``recording``.
"""
