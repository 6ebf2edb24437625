"""The commands ``asterisk-compliance serve``, ``status`` and ``watchdog``.

Starting the service and asking how it is: arguments are read here, and results are printed. The
work is done by ``app/service``. May import ``app``, ``storage``, ``config``, ``domain`` and other
modules of ``cli``.
"""
