"""The text that a terminal shows: tables, bars, curves, heat maps and legends."""
