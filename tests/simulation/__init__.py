"""A simulated Asterisk and disk, in which whole lives of a service run in virtual time."""
