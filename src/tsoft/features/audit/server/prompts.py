"""The built-in prompts of an audit, whose next token is uncertain for most models."""

COMPLETION_PROMPTS = (
    "A random word:",
    "She opened the old box and found",
    "My favourite name is",
    "The most surprising thing about the city was",
    "He turned around and said that",
)
CHAT_PROMPTS = (
    "Say one random word.",
    "Begin a story, with any word you like.",
    "Invent a name for a fantasy character. Answer with the name only.",
    "Name something that you could find in an old box.",
    "Write the title of a poem that does not exist.",
)
