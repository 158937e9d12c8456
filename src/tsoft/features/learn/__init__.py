"""`tsoft learn`."""
