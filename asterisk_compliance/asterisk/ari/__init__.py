"""ARI: its events as structs, its requests, and the client that holds the connection.

What an event means for a call is decided in ``domain/call``. Imports neither ``asterisk/ami`` nor
``asterisk/agi``.
"""
