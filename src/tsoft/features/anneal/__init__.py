"""`tsoft anneal`."""
