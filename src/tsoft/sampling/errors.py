"""The error of a chain of samplers."""


class AllRemovedError(ValueError):
    """A sampler removes every class of a row, counted from 0 over all leading axes."""

    def __init__(self, row: int, step: str):
        super().__init__(f"row {row}: {step} removes every class")
        self.row, self.step = row, step
