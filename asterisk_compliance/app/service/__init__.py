"""The running service: composition, health, reload, and the watchdog process.

Parts are made by their own rooms and put together here. What a command of an officer does is in
the room of its capability. May import every room of ``app``.
"""
