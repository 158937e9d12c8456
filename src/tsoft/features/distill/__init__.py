"""`tsoft distill`."""
