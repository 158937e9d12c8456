"""Sampling settings in the files of engines, servers and clients."""
