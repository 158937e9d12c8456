"""`tsoft bandit`."""
