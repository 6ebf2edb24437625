"""Rows on their way into the log, checkpoints and webhooks on their way out."""
