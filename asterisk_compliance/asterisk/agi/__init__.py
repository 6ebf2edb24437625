"""FastAGI: one call, one connection, one command at a time."""
