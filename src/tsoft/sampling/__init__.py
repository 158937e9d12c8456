"""Samplers, chains of them, and how each engine samples."""
