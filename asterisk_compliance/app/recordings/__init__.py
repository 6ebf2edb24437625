"""From the spool to the vault, and the room that there is for it."""
