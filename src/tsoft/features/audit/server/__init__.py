"""The audit of a live server: the requests, the probes file, and the findings."""
