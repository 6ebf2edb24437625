"""The shell: what runs, in which order, and with which wires and files.

It asks ``domain`` what to do, performs it through ``asterisk`` and ``storage``, and writes the
row first. The layers below do not import it. May import every layer but ``cli`` and ``api``.
"""
