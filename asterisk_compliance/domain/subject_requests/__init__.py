"""Requests of people about recordings of them: codes, states and permitted steps.

Deadlines come from ``domain/deadlines``. The search for a person, the answers and their packages
are in ``app/subject_requests``. May import ``retention``, ``audit`` and ``deadlines``.
"""
