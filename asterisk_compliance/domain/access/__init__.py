"""Who may use a recording and what for; hearing one by telephone."""
