"""Recorded files: spool, quarantine, assembly, vault and removal.

When a file moves or goes is decided in ``app/recordings`` and ``app/retention``. May import
``durable_files``, and ``age`` for sealing.
"""
