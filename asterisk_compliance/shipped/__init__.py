"""What the package ships as data: purposes, prompts, presets, emergency numbers, leak rules.

The modules read that data and check it. What a site chooses from it is in its settings
(``config``), and the sound files are in ``sounds/``. May import ``domain`` only.
"""
