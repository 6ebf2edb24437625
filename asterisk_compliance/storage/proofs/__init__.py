"""Signing the log, proving rows, and verifying the whole log.

The tree and the signed notes themselves are pure and in ``domain/audit``. The verifier that
travels in an evidence bundle is ``verify.py``. May import ``log`` and ``durable_files``.
"""
