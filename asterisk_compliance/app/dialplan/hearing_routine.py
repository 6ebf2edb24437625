"""How the dialplan names the routine in which recordings are heard."""

from __future__ import annotations

ARGUMENT = "hearing"
"""What the routine gives to ``Stasis()``."""


ROUTINE = "compliance-hearing"
