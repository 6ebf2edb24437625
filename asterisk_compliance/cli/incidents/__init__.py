"""The commands ``asterisk-compliance incidents``.

The register of incidents, their assessment and their reports: arguments are read here, and results
are printed. The work is done by ``app/incidents``. May import ``app``, ``storage``, ``config``,
``domain`` and other modules of ``cli``.
"""
