"""The groups of options that commands share, and the values that they select."""
