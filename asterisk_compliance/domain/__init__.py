"""The rules: pure values and functions, one folder for each capability.

No clock, disk, network or ``await`` is used here: time enters as a value, and whatever happens
leaves as a value. Performing what the rules decide is the task of ``app``. May import ``ids``,
``version`` and ``errors``.
"""
