"""How a trial in another process ends."""

from pathlib import Path

import pytest

from tsoft.errors import InputError
from tsoft.models import trial


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.abort()", r"m\.gguf: the model cannot be loaded: llama\.cpp ended with SIGABRT; the file is"),
        ("raise SystemExit(7)", r"m\.gguf: the model cannot be loaded: llama\.cpp ended with exit code 7; the file is"),
        (
            "import os; os.write(2, b'/src/ggml/ops.cpp:35: GGML_ASSERT(eps >= 0) failed\\n#0 0x7f'); os.abort()",
            r"the model cannot be loaded: ops\.cpp:35: GGML_ASSERT\(eps >= 0\) failed; the file",
        ),
        ("import sys; print(sys.argv[1] + ': wrong'); raise SystemExit(1)", r"m\.gguf: wrong$"),
        ("import time; time.sleep(60)", r"m\.gguf: the model cannot be loaded within 0\.2 s"),
    ],
)
def test_failure_is_an_input_error(code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_MAX_SECONDS", 0.2 if "sleep" in code else 60)
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(InputError, match=message):
        trial.try_model(str(file), code)


def test_exception_in_python_is_not_an_error_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    trial.try_model(str(file), "raise ImportError('tsoft')")


def test_success_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    trial.try_model(
        str(file), "import sys; print('noise', file=sys.stderr); sys.exit(0 if sys.argv[2] == 'whole' else 2)"
    )
    assert capfd.readouterr() == ("", "")
