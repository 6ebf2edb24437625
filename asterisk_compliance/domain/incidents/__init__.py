"""Incidents: what could have been reached, and who must be notified until when.

The life cycle of each recording decides whether an incident could reach it. Reading the log for
that is in ``storage/queries/incidents``, and the register and the reports are in
``app/incidents``. May import ``policy``, ``audit`` and ``deadlines``.
"""
