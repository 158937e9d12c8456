"""Many small cases in one test."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Test = Callable[..., None]


def each_case(names: str | Sequence[str], cases: Iterable[Any]) -> Callable[[Test], Test]:
    """Run a test with each case, as `pytest.mark.parametrize` does, but as one test. An error shows its case.

    Each test takes pytest and a worker 3 ms, which is as long as such a case takes. All cases have the same fixtures.
    """
    parameters = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    rows = [(case,) if len(parameters) == 1 else tuple(case) for case in cases]
    assert rows

    def decorator(test: Test) -> Test:
        signature = inspect.signature(test)

        @functools.wraps(test)
        def each(**fixtures: Any) -> None:
            for row in rows:
                values = dict(zip(parameters, row, strict=True))
                try:
                    test(**values, **fixtures)
                except BaseException as error:
                    error.add_note(f"The case is {values}.")
                    raise

        # The fixtures that pytest passes.
        fixtures = [parameter for name, parameter in signature.parameters.items() if name not in parameters]
        vars(each)["__signature__"] = signature.replace(parameters=fixtures)
        return each

    return decorator
