"""The page about recording, made from the configuration."""
