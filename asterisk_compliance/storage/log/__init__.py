"""The audit log in SQLite: one writer, many readers, and what stands beside the rows."""
