"""Incidents in practice: the register, the assessment, and the notices to authorities.

Exposure and duties are decided in ``domain/incidents``. May import ``evidence``, ``access`` and
the rooms below these.
"""
