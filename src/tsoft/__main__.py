"""The program `tsoft`, and `python -m tsoft`."""

import gc
import os
import sys


def main() -> None:
    # Start-up is mostly imports, which make no garbage; and no BLAS is used, so that its threads
    # are not worth their start.
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from tsoft.cli import run

        status = run()
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
