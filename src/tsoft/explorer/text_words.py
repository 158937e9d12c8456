"""The words of the first line about a text that a model continues."""

from tsoft.explorer.live_text import LiveText
from tsoft.explorer.session import Session
from tsoft.explorer.slider_scale import value_text


def text_words(live: LiveText, session: Session, waiting_draws: int) -> list[str]:
    """Return the position of the row in the text, whether the model is working, and the name of the model."""
    number, length = session.row.number, len(live.written)
    words = [f"token {number + 1}" + f" of {length}" * (number < length)]
    if live.is_waiting:
        waiting = f", {waiting_draws} draw{'s' * (waiting_draws > 1)} waiting" * bool(waiting_draws)
        words.append(f"model working{waiting}")
    if live.has_ended:
        words.append("the text has ended")
    if session.samplers.needs_history and not live.model.has_prompt_tokens:
        words.append("the server does not return the tokens of the prompt, so penalties and DRY ignore it")
    return [*words, *_state_words(session), live.model.name]


def _state_words(session: Session) -> list[str]:
    """Return the states of the samplers at the row, if the draws before it have changed them."""
    if session.snapshot is None or session.row.number == 0:
        return []
    words = []
    for setting in session.row_samplers.effective:
        if parameter := setting.sampler.state_parameter:
            first, now = (value_text(state.value(parameter)) for state in (session.samplers, session.row_samplers))
            words.append(f"{parameter.name} {now}, {first} before the first token")
    return words
