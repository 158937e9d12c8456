"""The interactive app."""
