"""`tsoft choose`."""
