"""How long recordings are kept, legal holds, and the erasure of persons."""
