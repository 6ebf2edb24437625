"""What each capability reads from the log."""
