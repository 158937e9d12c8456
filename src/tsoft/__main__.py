"""The program `tsoft`, and `python -m tsoft`."""

import gc
import os
import sys


def main() -> None:
    # Imports take most of a short run and create no garbage, so the first collection can wait, and the last one, at
    # exit, is unnecessary. tsoft uses hardly any BLAS, so BLAS threads are not worth the time to start them.
    gc.set_threshold(100_000)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from tsoft.cli import run

        status = run()
    except KeyboardInterrupt:
        status = 130
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
