"""What the load benchmark compares with: the same flow, written naively on other libraries."""
