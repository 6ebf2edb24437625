"""Finding calls among millions, newest first, a page at a time.

A search combines conditions, and the rarest one leads. Queries of a single capability are in
``storage/queries``. May import ``log``.
"""
