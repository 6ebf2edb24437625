"""The disk: the log, its proofs, recordings, and what reads them."""
