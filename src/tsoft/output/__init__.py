"""Results to bytes: records, arrays, safe files, progress."""
