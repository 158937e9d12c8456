r"""The built-in prompts of an audit.

Their next token is uncertain, and its probabilities differ by orders of magnitude: the more the log-probabilities of
the draws vary, the fewer draws tell the temperature. The standard deviation of the log-probability divided by τ was
above 1.3 for SmolLM2-135M at temperatures from 0.5 to 1.4, which 400 draws estimate within 8 %.
"""

COMPLETION_PROMPTS = (
    "A random word:",
    "Once upon a time, a",
    "A list of unusual words:\n-",
    "He lived in a town called",
    'The title of the book is "',
)
CHAT_PROMPTS = (
    "Say one random word.",
    "Write the title of a poem that does not exist.",
    "List some random words.",
    "Invent a name for a fantasy character. Answer with the name only.",
    "Begin a story, with any word you like.",
)
