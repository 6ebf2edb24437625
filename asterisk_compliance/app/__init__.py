"""The shell: what runs, in which order, on which wire."""
