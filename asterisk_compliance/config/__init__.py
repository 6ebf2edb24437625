"""Settings: one TOML file, read once, checked completely, then frozen."""
