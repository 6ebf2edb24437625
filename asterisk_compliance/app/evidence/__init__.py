"""Evidence about one call, and its export by open standards (vCon, consent receipts).

The proofs come from ``storage/proofs``. Whether somebody may have a recording is decided by
``app/access``. May import ``access`` and the rooms below it.
"""
