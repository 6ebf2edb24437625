"""The commands ``asterisk-compliance retention``, ``holds`` and ``persons``.

Plans, disposal, legal holds and erasure: arguments are read here, and results are printed. The
work is done by ``app/retention``. May import ``app``, ``storage``, ``config``, ``domain`` and
other modules of ``cli``.
"""
