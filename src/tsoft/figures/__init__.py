"""Figures for slides, papers and pages, drawn with matplotlib. A module that is not drawing does not import it."""
