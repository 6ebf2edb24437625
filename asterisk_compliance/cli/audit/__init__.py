"""The commands ``asterisk-compliance audit``.

Verifying, following, marking and proving the log: arguments are read here, and results are
printed. The work is done by ``storage/proofs`` and ``app/audit``. May import ``app``, ``storage``,
``config``, ``domain`` and other modules of ``cli``.
"""
