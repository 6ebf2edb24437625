"""The commands ``asterisk-compliance calls`` and ``do-not-call``.

Listing calls, controlling recording, and the do-not-call list: arguments are read here, and
results are printed. The work is done by ``app/calls`` and ``storage/search``. May import ``app``,
``storage``, ``config``, ``domain`` and other modules of ``cli``.
"""
