"""What is wrong with a text that is not JSON."""

TOO_DEEP = "the JSON is nested too deep"


def json_problem(message: str) -> str:
    """Return the problem for the message of a JSON parser.

    >>> json_problem("unexpected end of data"), json_problem("Recursion limit reached")
    ('not JSON: unexpected end of data', 'the JSON is nested too deep')
    """
    if "is infinity" in message:
        return "a number is too large; the largest number is 1.8e308"
    if "depth" in message or "recursion" in message.lower():
        return TOO_DEEP
    return f"not JSON: {message}"
