"""Settings: one TOML file, read once, checked completely, then frozen.

Each table has its own form and its own checks, and what must agree across tables is checked when
all are read. Prompt files and dialplans that the settings name are read elsewhere, in
``app/policy`` and ``app/dialplan``. May import ``shipped``, ``age`` and ``domain``.
"""
