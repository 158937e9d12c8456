"""`tsoft calibrate`."""
