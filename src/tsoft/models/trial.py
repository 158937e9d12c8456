"""Loading a model file in another process, to find out whether llama.cpp accepts it.

llama.cpp aborts its process at some errors in a file, and a damaged file may also make it read from a wrong address.
The other process ends then, and tsoft reports the error.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys

from tsoft.errors import InputError, visible

# A larger file is not loaded as a whole, because that may take minutes: only its vocabulary is.
WHOLE_BYTES = 1 << 30
# A file of that size on a slow disk.
_MAX_SECONDS = 300
_CODE = "import sys; from tsoft.models.llama import rehearse; rehearse(sys.argv[1], whole=sys.argv[2] == 'whole')"


def try_model(path: str, code: str = _CODE) -> None:
    """Load the model in another process and, unless it is large, compute logits. Raise InputError if that fails."""
    if not sys.executable:
        # Python runs inside another program.
        return
    part = "whole" if os.stat(path).st_size <= WHOLE_BYTES else "vocabulary"
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "GGML_NO_BACKTRACE": "1"}
    # -P: modules in the current folder are not imported.
    command = [sys.executable, "-P", "-c", code, path, part]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=_MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{path}: the model cannot be loaded within {_MAX_SECONDS} s") from None
    except OSError:
        # Without another process, llama.cpp loads the file directly.
        return
    message = done.stdout.decode(errors="replace").strip()
    if message and done.returncode:
        raise InputError(visible(message))
    if done.returncode in (0, 1):
        # The model is loaded, or Python failed: the exception will occur again in this process.
        return
    cause = _failed_check(done.stderr) or _end(done.returncode)
    raise InputError(
        f"{path}: the model cannot be loaded: {cause}; the file is damaged, or llama.cpp does not support it"
    )


def _failed_check(stderr: bytes) -> str:
    """Return the check that failed in llama.cpp, from the last line that it printed; empty if it printed none.

    >>> _failed_check(b"/build/ggml/src/ops.cpp:3500: GGML_ASSERT(eps >= 0.0f) failed\\n")
    'ops.cpp:3500: GGML_ASSERT(eps >= 0.0f) failed'
    """
    match = re.search(rb"([^/\\\s]+:\d+: [^\n]+)", stderr)
    return visible(match[1].decode(errors="replace").strip())[:200] if match else ""


def _end(code: int) -> str:
    """Return how a process with this exit code ended.

    >>> _end(-11)
    'llama.cpp ended with SIGSEGV'
    """
    name = f"exit code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
    return f"llama.cpp ended with {name}"
