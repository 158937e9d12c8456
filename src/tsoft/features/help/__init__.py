"""`tsoft help`."""
