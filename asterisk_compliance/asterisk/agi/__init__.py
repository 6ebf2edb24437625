"""FastAGI, for sites without ARI: one call, one connection, one command at a time.

The handler of a call is ``app/calls/agi_caller_channel``. Imports neither ``asterisk/ari`` nor
``asterisk/ami``.
"""
