"""Language models: text in, next-token logits out. Each kind of model has a module with a class that is a `Model`."""
