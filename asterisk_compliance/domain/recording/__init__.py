"""What a recording must be, what it is, and why it was interrupted."""
