"""What a vendor promises, and the cases that show it."""
