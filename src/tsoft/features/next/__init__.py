"""`tsoft next`."""
