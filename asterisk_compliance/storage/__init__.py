"""The disk: the log, its proofs, recordings, and what each capability reads from them.

Files are written so that a crash leaves the old or the new content. Which rows to write and which
files to remove is decided in ``domain`` and ``app``. May import ``domain`` and ``age``.
"""
