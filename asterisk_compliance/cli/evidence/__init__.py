"""The commands ``asterisk-compliance evidence`` and ``export``.

Bundles for one call, and exports of many: arguments are read here, and results are printed. The
work is done by ``app/evidence``. May import ``app``, ``storage``, ``config``, ``domain`` and other
modules of ``cli``.
"""
