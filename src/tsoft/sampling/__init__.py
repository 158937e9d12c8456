"""Samplers, chains of samplers, and the rules of each engine."""
