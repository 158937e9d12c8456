"""What can go wrong with a chain of samplers."""


class NothingLeftError(ValueError):
    """A sampler has removed every class of a row, counted from 0 over all leading axes."""

    def __init__(self, row: int, what: str):
        super().__init__(f"row {row}: {what} removes every class")
        self.row, self.what = row, what
