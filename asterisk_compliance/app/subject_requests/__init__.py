"""Requests of people about recordings of them, from opening to the answer.

The permitted steps are in ``domain/subject_requests``, and the deadlines in
``domain/deadlines``. May import ``evidence``, ``access``, ``retention``, ``third_parties`` and
the rooms below these.
"""
