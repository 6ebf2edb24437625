"""The rules: pure values and functions; no clock, no disk, no network."""
