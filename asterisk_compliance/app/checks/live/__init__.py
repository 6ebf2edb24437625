"""Findings for which Asterisk or the service is asked, or a test call is placed.

Checks that only read files are in ``app/checks``. May import the same rooms, and the wires.
"""
