"""The program `tsoft`, and `python -m tsoft`."""

import gc
import os
import sys


def main() -> None:
    # Most of a short run is imports, which make no garbage: a first collection can wait until there
    # is work, and a last one need not be. Hardly any BLAS is used, so its threads are not worth their start.
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
