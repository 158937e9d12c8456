"""`tsoft compute`."""
