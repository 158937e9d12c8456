"""From results to bytes: records, arrays, safe files, progress."""
