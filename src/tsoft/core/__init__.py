"""The mathematics of one distribution: arrays in, arrays out, without files and without a terminal."""
