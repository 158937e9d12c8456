"""`tsoft generate`."""
