"""The commands ``asterisk-compliance recordings``.

Listing and releasing recordings, each use with its purpose: arguments are read here, and results
are printed. The work is done by ``app/access``. May import ``app``, ``storage``, ``config``,
``domain`` and other modules of ``cli``.
"""
