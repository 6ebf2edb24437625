"""The comparison of Asterisk's calls, our rows and the recorded files, and its findings.

Values come in order, and differences come out. Reading CDR, CEL, log and vault is in
``storage/queries``, and the run itself is ``app/reconciliation``. May import ``asterisk``,
``audit`` and ``call``.
"""
