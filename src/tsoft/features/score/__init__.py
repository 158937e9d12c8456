"""`tsoft score`."""
