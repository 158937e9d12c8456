"""The mathematics: arrays in, arrays out. Knows no file and no terminal."""
