"""Retention in practice: disposal of recordings, legal holds, and erasure of persons.

Periods and the effect of a hold are decided in ``domain/retention``. Files are removed by
``storage/recordings``. May import ``third_parties``, ``recordings``, ``policy``, ``audit`` and
``shared``.
"""
