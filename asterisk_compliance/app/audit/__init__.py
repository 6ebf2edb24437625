"""Rows on their way into the log, and checkpoints and webhooks on their way out.

The log itself is ``storage/log``, and the kinds of rows are in ``domain/audit``. May import
``shared``.
"""
