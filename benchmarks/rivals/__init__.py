"""What the load benchmark compares with: the same flow, naively on other libraries, and least."""
