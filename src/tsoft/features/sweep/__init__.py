"""`tsoft sweep`."""
