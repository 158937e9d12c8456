"""`tsoft compare`."""
