"""The interactive app of `tsoft explore`."""
