"""Bytes to blocks of logits: one module per format."""
