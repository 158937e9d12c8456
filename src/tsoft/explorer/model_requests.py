"""Requests to a language model, in threads, so that a slow model does not block the keys."""

import contextlib
import threading
from collections.abc import Callable

from tsoft.models.model import Model
from tsoft.models.tokens import NextDistribution, Tokens

# Seconds that the model has to finish at the end. A local model does.
CLOSE_TIMEOUT = 0.25
# The name of the threads that wait for the model.
MODEL_THREAD = "tsoft model"

# The distribution after a text, or the error that the model raised.
Answer = NextDistribution | Exception


class ModelRequests:
    """The requests. The model receives one at a time."""

    def __init__(self, model: Model):
        self._model = model
        self._lock = threading.Lock()
        self._is_closed = False

    def request(self, tokens: Tokens, is_wanted: Callable[[], bool], deliver: Callable[[Answer], object]) -> None:
        """Request the distribution after some tokens, and deliver the answer, in a thread.

        The thread is a daemon, because a server may take long and must not delay the end of the program. A request
        that is no longer wanted when its turn comes is skipped.
        """

        def run() -> None:
            with self._lock:
                if self._is_closed or not is_wanted():
                    return
                answer: Answer
                try:
                    [answer] = self._model.next([tokens])
                except Exception as error:
                    answer = error
            # The app may have ended.
            with contextlib.suppress(RuntimeError):
                deliver(answer)

        threading.Thread(target=run, name=MODEL_THREAD, daemon=True).start()

    def close(self) -> None:
        """Close the model, unless it is still working on a request."""
        self._is_closed = True
        if self._lock.acquire(timeout=CLOSE_TIMEOUT):
            self._model.close()
