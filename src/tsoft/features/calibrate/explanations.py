"""Where the manual explains what surprises in a calibration."""


def explained(heading: str, page: str = "calibrate") -> str:
    """Return the end of a note that names a heading of the manual.

    >>> explained("Limits")
    '; see "Limits" in tsoft help calibrate'
    """
    return f'; see "{heading}" in tsoft help {page}'


LIMITS = explained("Limits")
HIGHER_ECE = explained("Why the ECE can rise", "reliability")
SAME_ACCURACY = "the accuracy is the same at every finite τ" + explained("Why the accuracy stays the same")
