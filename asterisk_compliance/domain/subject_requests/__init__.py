"""What people ask for about recordings of them, step by step."""
