"""The rules of the dialplan checker, one module for each concern.

Each yields findings (``domain/dialplan/findings.py``), and ``checker.py`` runs them all. May import
the other modules of ``domain/dialplan``, but not the checker.
"""
