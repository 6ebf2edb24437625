"""The commands ``asterisk-compliance requests``.

Requests of people, their steps and their answers: arguments are read here, and results are
printed. The work is done by ``app/subject_requests``. May import ``app``, ``storage``, ``config``,
``domain`` and other modules of ``cli``.
"""
