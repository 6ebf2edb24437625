"""Installing beside a local Asterisk, and undoing it.

A plan of files is made, shown, and then carried out, so a dry run shows exactly what happens.
Questions to the operator are in ``cli/install``. May import ``dialplan``, ``policy`` and
``shared``.
"""
