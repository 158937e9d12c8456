"""From bytes to blocks of logits: one module per format."""
