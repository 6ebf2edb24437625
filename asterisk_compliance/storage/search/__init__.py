"""Finding calls among millions, newest first, a page at a time."""
