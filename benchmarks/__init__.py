"""What this costs beside bare Asterisk, measured on a real one: ``python -m benchmarks``."""
