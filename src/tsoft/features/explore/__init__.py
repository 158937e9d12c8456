"""`tsoft explore`."""
