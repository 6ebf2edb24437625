"""Recordings on their way from the spool into the vault, and the storage that they need.

Files are joined and sealed by ``storage/recordings``, in worker processes that the pool here
starts. Disposal is in ``app/retention``. May import ``audit``, ``policy`` and ``shared``.
"""
