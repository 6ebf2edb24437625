"""Signing, proving and verifying the log."""
