"""Facts about Asterisk itself: modules, versions, and its own records of calls.

The wires to a running Asterisk are in the layer ``asterisk``, and the values of a dialplan are in
``domain/dialplan``. May import ``call``.
"""
