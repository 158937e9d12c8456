"""`tsoft solve`."""
