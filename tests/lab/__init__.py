"""A real Asterisk, SIP parties, and tones with their analysis, for tests, demo and benchmarks."""
