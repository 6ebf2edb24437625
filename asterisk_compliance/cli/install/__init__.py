"""The commands ``asterisk-compliance init`` and ``uninstall``.

The dialogue with the operator and the list of changes: arguments are read here, and results are
printed. The work is done by ``app/install``. May import ``app``, ``storage``, ``config``,
``domain`` and other modules of ``cli``.
"""
