"""What several capabilities of the shell need: control socket, marks, metrics, HTTP.

Nothing here knows a capability. What only one room uses is in that room. May import no other room
of ``app``.
"""
