"""Live calls of one Asterisk: events in, commands out."""
