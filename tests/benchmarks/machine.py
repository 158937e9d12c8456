"""The machine that a measurement was taken on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# The packages whose versions matter: numpy, and the other programs.
PACKAGES = ("numpy", "scipy", "typer", "polars", "pandas", "pyarrow", "torch", "transformers", "llama-cpp-python")


def machine() -> str:
    """Return the processor, cores, versions and load in one line.

    The load matters: if another program keeps a core busy, a task that runs on all cores looks slower than it is.
    """
    installed = ((name, _version(name)) for name in PACKAGES)
    versions = (f"{name} {version}" for name, version in installed if version)
    return ", ".join([_processor(), f"{cores()} cores", f"Python {platform.python_version()}", *versions, *_load()])


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    # On Linux, platform returns only "x86_64".
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _load() -> list[str]:
    return [f"load {os.getloadavg()[0]:.1f}"] if hasattr(os, "getloadavg") else []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
