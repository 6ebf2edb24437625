"""Using recordings: permission, release, hearing by telephone, earlier calls."""
