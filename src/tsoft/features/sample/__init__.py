"""`tsoft sample`."""
