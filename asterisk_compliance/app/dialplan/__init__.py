"""Our dialplan routines, rendered; a site's dialplan, read."""
