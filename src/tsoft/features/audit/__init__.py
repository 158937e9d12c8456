"""`tsoft audit`."""
