"""The published page about recording, made from the configuration and compared with it.

What the page must state is decided in ``domain/disclosure``. May import ``policy`` and
``shared``.
"""
