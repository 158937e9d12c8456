"""The program `tsoft`, and `python -m tsoft`."""

import atexit
import contextlib
import gc
import os
import sys
import threading

_UTF8_MODE = ["-X", "utf8"]


def _restart_in_utf8_mode() -> None:
    """Replace this process with one in Python's UTF-8 mode if the locale is ASCII and that mode was turned off.

    In ASCII, Python turns the é of an argument or a file name into two surrogates, and no stream can print it. Return
    if the program cannot be started again.
    """
    # The last test prevents a loop if Python turns the mode off nevertheless.
    if sys.flags.utf8_mode or sys.getfilesystemencoding() != "ascii" or sys.orig_argv[1:3] == _UTF8_MODE:
        return
    with contextlib.suppress(OSError):
        os.execv(sys.executable, [sys.executable, *_UTF8_MODE, *sys.orig_argv[1:]])


def _open_standard_streams() -> None:
    """Open the null device for each standard stream that is closed. The next file that is opened would otherwise take
    its place, and what another library prints would go into that file."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free descriptor is this one. Processes that tsoft starts need it, too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def main() -> None:
    _restart_in_utf8_mode()
    _open_standard_streams()
    # Imports take most of a short run and create no garbage, so the first collection can wait. tsoft uses hardly any
    # BLAS, so BLAS threads are not worth the time to start them.
    gc.set_threshold(100_000)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from tsoft.cli import run

        status = run()
    except KeyboardInterrupt:
        status = 130
    except SystemExit as end:
        # Typer exits after the completion of a word, and tsoft after a signal. Python prints any other code.
        if not isinstance(end.code, int):
            raise
        status = end.code
    _exit(status)


def _exit(status: int) -> None:
    """End the process, without the shutdown of the interpreter where possible: it takes a twentieth of a short run."""
    # At a shutdown, a thread of pyarrow that is still starting would abort the process (SIGABRT).
    if threading.active_count() == 1 or "pyarrow" in sys.modules:
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError, ValueError):
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
            os._exit(status)
    # The interpreter waits for the other threads, or reports that a stream cannot be written. No memory needs to be
    # freed.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
