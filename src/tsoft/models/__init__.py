"""Language models: text in, next-token distributions out; and decoding."""
