"""Rows of the audit log: their kinds, their encoding, and the proofs over them.

Merkle tree, checkpoints, signed notes and the projection of rows are here as pure functions. The
file that holds the log is ``storage/log``, and the code that writes rows for a call is
``domain/call/audit_rows``. Imports no other room but the shared values of ``domain``.
"""
