"""Live calls of one Asterisk: events in, commands out.

A task for each call feeds events to the state machine of ``domain/call`` and performs its
commands. Which service runs which Asterisk is decided in ``app/service``. May import
``dialplan``, ``recordings``, ``policy``, ``audit`` and ``shared``.
"""
