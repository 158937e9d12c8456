"""A note on a bootstrap of few resamples."""

from tsoft.notes import note

# One of 40 resamples is 2.5 %, the share beyond each end of the interval.
FEWEST_RESAMPLES = 40


def note_few_resamples(resamples: int) -> None:
    """Print a note if the intervals come from too few resamples; 0 is for no bootstrap."""
    if 0 < resamples < FEWEST_RESAMPLES:
        problem = f"--resamples {resamples} is too few for a 95 % interval"
        note(f"{problem}; pass at least {FEWEST_RESAMPLES}")
