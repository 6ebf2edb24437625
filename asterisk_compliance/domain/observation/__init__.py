"""How another recorder beside us records, and what the callers had been told by then.

The tracker follows AMI events of calls that we do not record. Connecting it to AMI is
``app/observation``. May import ``dialplan`` and ``audit``.
"""
