"""What a terminal shows: tables, bars, curves and heat maps, as text."""
