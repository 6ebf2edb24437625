"""Recorded files: spool, quarantine, assembly, vault, disposal."""
