"""Findings for the operator about configuration, files, keys, log and dialplan.

Each module yields findings of one subject (``finding.py`` lists all ids); nothing is changed.
Checks that need a running Asterisk are in ``live``. May import every room of ``app`` but
``service``.
"""
