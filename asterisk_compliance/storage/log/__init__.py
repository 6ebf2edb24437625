"""The audit log in SQLite: one writer, many readers, and the tables beside the rows.

The tables beside the rows are projections, personal data, legal holds and the do-not-call list.
What rows mean is defined in ``domain/audit``, and searches over the log are in
``storage/queries`` and ``storage/search``. May import ``durable_files``.
"""
