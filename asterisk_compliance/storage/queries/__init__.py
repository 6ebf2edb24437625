"""What each capability reads from the log, one module for each.

The rules that judge these rows are in ``domain``. General reading of rows is in
``storage/log/reader``. May import ``log``, ``recordings`` and ``content_store``.
"""
