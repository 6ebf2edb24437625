"""How another system beside us records, and what callers had been told."""
