"""The formats of settings files: JSON, YAML, Modelfiles, and text that Python printed."""

import contextlib
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tsoft.errors import InputError
from tsoft.input.settings.settings_reader import read


def values(path: Path, content: str) -> dict[str, float]:
    path.write_text(content)
    return dict(read(str(path)).values)


def problem(path: Path, content: str) -> str:
    """Return the message about a file, without its name."""
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read(str(path))
    return str(caught.value).removeprefix(str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings"


# JSON


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # generation/utils.py: greedy without do_sample, and top_k 50 by default.
        ('"temperature": 0.5,\n  "top_p": 0.9', {"tau": 0}),
        ('"bos_token_id": 1,\n  "eos_token_id": 2', {"tau": 0}),
        ('"do_sample": true,\n  "temperature": 0.5', {"tau": 0.5, "top_k": 50}),
        ('"do_sample": true,\n  "eos_token_id": 2,\n  "top_k": 5', {"top_k": 5}),
    ],
)
def test_a_generation_config_that_transformers_printed(path: Path, fields: str, expected: dict[str, float]) -> None:
    text = f"GenerationConfig {{\n  {fields}\n}}\n"
    assert values(path, text) == expected
    assert read(str(path)).origin.engine == "transformers"
    assert problem(path, text.replace(",", "")).startswith(":3: not JSON: ")


def test_a_field_that_is_set_twice(path: Path) -> None:
    assert values(path, '{"top_k": 5, "top_k": 5}') == {"top_k": 5}
    message = problem(path, '{"top_k": 5, "temperature": 1,\n"top_k": 6}')
    assert message == ": 'top_k' is set twice, to 5 and 6; remove one of them"


# YAML


def test_yaml_whose_aliases_repeat_a_part_many_times(path: Path) -> None:
    """Written out, the list would have 9 ** 30 elements."""
    pytest.importorskip("yaml")
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 31)]
    assert problem(path, "\n".join(["a0: &a0 [x]", *levels, ""])).startswith(": no sampling settings; ")


def test_yaml_without_pyyaml(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    message = problem(path, "temperature: 0.7\n")
    assert message.startswith(": this looks like YAML, which tsoft reads with PyYAML; run pip install 'tsoft[yaml]'")
    # A log is not YAML.
    message = problem(path, "temperature: 0.7\nsampler chain: top-k -> temp\n")
    assert message.startswith(":1: not JSON: ")
    assert message.endswith('; write the settings as JSON, such as {"temperature": 0.7}')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("temperature: 0.7\ntop_k: 20\n", {"tau": 0.7, "top_k": 20}),
        # PyYAML takes a number without a point for a string.
        ("---\n# mine\nmin_p: 5e-2\ntop_p: '.9'\n", {"min_p": 0.05, "top_p": 0.9}),
        ("top_k: 3\ndo_sample: no\n", {"tau": 0}),
        # Flowise writes an empty text for a field that is not set.
        ("temperature: 0.5\ntopP: ''\n", {"tau": 0.5}),
        ("a: &a {temperature: 0.5}\n", {"tau": 0.5}),
        ("- name: x\n- params:\n    temperature: 0.5\n", {"tau": 0.5}),
        # A manifest of Kubernetes, and a .prompty file.
        ("---\nkind: A\nargs: [--temp, '0.5']\n---\nkind: B\n---\n", {"tau": 0.5}),
        ("---\nmodel:\n  parameters:\n    top_k: 3\n---\nsystem:\nUse temperature: 2\n", {"top_k": 3}),
        # Weights & Biases' config.yaml.
        ("temperature:\n  desc: null\n  value: 0.5\ntop_k: {type: int, value: '3'}\n", {"tau": 0.5, "top_k": 3}),
        # TabbyAPI's sampler overrides.
        ("temperature:\n  override: 0.5\n  force: false\ntop_k: {override: 3}\n", {"tau": 0.5, "top_k": 3}),
        ("base: &base\n  x: 1\npreset:\n  <<: *base\n  temp: 0.5\n", {"tau": 0.5}),
        ("a: &a\n  top_k: 3\nb: *a\n", {"top_k": 3}),
        # The keys of a mapping override those that it merges, of which the first counts.
        ("a:\n  top_k: 3\n  <<: [{top_k: 4, top_p: 0.9}, {top_p: 0.8}]\n", {"top_k": 3, "top_p": 0.9}),
        (
            "config:\n  operation:\n    fields:\n      - key: llm.prediction.topKSampling\n        value: 20\n",
            {"top_k": 20},
        ),
    ],
)
def test_yaml(path: Path, text: str, expected: dict[str, float]) -> None:
    pytest.importorskip("yaml")
    assert values(path, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("top_k: 3\ntop_p: [0.9\n", ":3: not YAML: "),
        ("top_k: 3\ntop_p: 0.9\ntop_k: 4\n", ":1: 'top_k' is set twice, to 3 and 4; remove one of them"),
        (
            "top_k: 3\n---\ntop_k: 4\n",
            ": several objects have sampling settings: 0 (top_k 3), 1 (top_k 4); save one of them",
        ),
        (
            "a: &a\n  top_k: 3\nb:\n  <<: *a\n  top_k: 4\n",
            ": several objects have sampling settings: a (top_k 3), b (top_k 4); save one of them",
        ),
        ("a:\n  <<: {top_k: 3}\n  top_k: 4\n  top_k: 5\n", ":2: 'top_k' is set twice, to 4 and 5; remove one of them"),
        ("a:\n  <<: 3\n  top_k: 4\n", ": not YAML: expected a mapping or a list of mappings after <<"),
        ("---\ntop_k: 3\nmin_p: [\n---\nBe brief.\n", ":4: not YAML: "),
        ("top_k: !!python/object/apply:os.getcwd []\n", ":1: not YAML: could not determine a constructor"),
        ("temperature: .nan\n", ": temperature: expected a finite number, got nan"),
        ("temperature: 2001-01-01\n", ': temperature: expected a number, got the value "2001-01-01"'),
        ("temperature: 2001-13-41\n", ": not YAML: month must be in 1..12"),
        ("- temperature\n", ": expected an object of settings, got an array"),
        ("a: " + "[" * 500, ":1: the JSON is nested too deep"),
        ("name: x\n", ": no sampling settings; "),
        ("a: &a\n  top_k: 3\n  self: *a\n", ":1: not YAML: found unconstructable recursive node"),
    ],
)
def test_errors_in_yaml(path: Path, text: str, message: str) -> None:
    pytest.importorskip("yaml")
    assert problem(path, text).startswith(message)


# Modelfiles


def test_modelfile(path: Path) -> None:
    text = '# mine\n\nfrom ./x.gguf\nParameter\ttemperature  "0.5"\nPARAMETER top_p 1\nPARAMETER top_k 0\n'
    assert values(path, text) == {"tau": 0.5, "top_p": 1}
    texts = 'TEMPLATE """{{ .Prompt }}"""\nSYSTEM """\nPARAMETER min_p 0.5\nnot a command\n"""\nLICENSE "MIT"\n'
    assert values(path, text + texts) == {"tau": 0.5, "top_p": 1}
    # The settings of this file have no model.
    assert values(path, "PARAMETER temperature 0.5\nPARAMETER top_p 1\nPARAMETER top_k 0\n")["tau"] == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM x\nPARAMETER temperature\n", ":2: expected PARAMETER NAME VALUE, got 'PARAMETER temperature'"),
        ("FROM x\n\nPARAMETERS top_k 1\n", ":3: 'PARAMETERS' is not a command of a Modelfile; expected a line such as"),
        ('FROM x\nSYSTEM """Be brief.\nPARAMETER top_k 1\n', ':2: the text after SYSTEM has no closing """'),
        (
            "FROM x\nPARAMETER top_k 1\nPARAMETER top_k 2\n",
            ': \'top_k\' is set twice, to "1" and "2"; remove one of them',
        ),
        ("FROM x\nPARAMETER top_k many\n", ': PARAMETER: top_k: expected a number, got the string "many"'),
        ("FROM x\n", ": no sampling settings; "),
        ('FROM x\nSYSTEM """\nFROM y\nCMD ["llama-server", "--temp", "0.2"]\n"""\n', ": no sampling settings; "),
        (
            "# mine\nfrom x import y\nz(temperature=0.3)\n",
            ": this is a program, not settings; write the settings as JSON",
        ),
        ("import x\n\ntop_k = 3\n", ": this is a program, not settings; write the settings as JSON"),
    ],
)
def test_errors_in_a_modelfile(path: Path, text: str, message: str) -> None:
    assert problem(path, text).startswith(message)


# Python


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SamplingParams(temperature=0.8, top_p=0.95)", {"tau": 0.8, "top_p": 0.95}),
        # ModelConfig.get_diff_sampling_param in vLLM's vllm/config/model.py.
        (
            "INFO x\nWARN Default vLLM sampling parameters have been overridden by x: `{'top_k': 3}`. If not\nINFO\n",
            {"top_k": 3},
        ),
        ("llm.generate(x, SamplingParams(n=1,\n  top_k=-1, temperature=.5))", {"tau": 0.5}),
        ("a=SamplingParams(stop=[')', '\\'('], top_k=3) SamplingParams(stop=[')', '\\'('], top_k=3)", {"top_k": 3}),
        ("SamplingParams(top_k=3, structured_outputs=StructuredOutputsParams(json=None))", {"top_k": 3}),
        ("{'temperature': 0.5, 'do_sample': True, 'top_p': None, 'stop': (1, {2})}", {"tau": 0.5}),
        ("{'options': {'temperature': 0.5}, 'x': f(1), **y}", {"tau": 0.5}),
        ("config = types.GenerationConfig(temperature=0.5, top_k=3, seed=1)\n", {"tau": 0.5, "top_k": 3}),
        ("self.params = dict( temperature = 0.5, max_tokens = 9, top_k = 3 )", {"tau": 0.5, "top_k": 3}),
        ("c = Config(\n    temperature=0.5,\n    top_k=3,\n)\n", {"tau": 0.5, "top_k": 3}),
    ],
)
def test_text_that_python_printed(path: Path, text: str, expected: dict[str, float]) -> None:
    assert values(path, text) == expected


def test_a_printed_call_of_another_class(path: Path) -> None:
    text = "ChatOpenAI(client=<openai.Completions object at 0x7f>, temperature=0.5, model_kwargs={'top_p': 0.9}, "
    assert values(path, f"{text}openai_api_key=SecretStr('**********'))\n") == {"tau": 0.5, "top_p": 0.9}
    # LMDeploy's class. Its async_engine.py decodes greedily without do_sample.
    text = "GenerationConfig(n=1, do_sample=False, top_k=50, temperature=0.8, random_seed=None, stop_words=None, "
    assert values(path, f"{text}bad_words=None)") == {"tau": 0}
    assert read(str(path)).origin.kind == "LMDeploy's GenerationConfig"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TEMPERATURE=0.5\nexport TOP_P='0.9'  # mine\n\n# x\nKEY=sk-1\n", {"tau": 0.5, "top_p": 0.9}),
        ("[model-llama]\ntemperature=0.5\ntopK=3\n[other]\nname=x\n", {"tau": 0.5, "top_k": 3}),
        # TOML.
        ('# mine\ntemperature = 0.5\nlogit_bias = {}\n[[model]]\nname = "x; y"\n', {"tau": 0.5}),
        ('temperature = 0.5\nprompt = """\ntop_k = 3"""\n', {"tau": 0.5}),
        # The presets of llama-server, which are INI.
        ("version = 1\n\n; mine\n[*]\nfit = on\n  temp = 0.5\n\n[m]\nmodel = a b\n", {"tau": 0.5}),
        # A .env file may have variables of other programs.
        ("TEMPERATURE=0.5\nTEMP=/tmp\nTOP_P=\n", {"tau": 0.5}),
        ("TEMPERATURE='0.5'\nTEMP='/tmp'\n", {"tau": 0.5}),
        ("GEN_KWARGS=temperature=0.5,top_k=3\n", {"tau": 0.5, "top_k": 3}),
        # ollama show --parameters.
        ('temperature      0.5\nstop   "<|im_start|>"\nstop   "<|im_end|>"\ntop_k  3\n', {"tau": 0.5, "top_k": 3}),
    ],
)
def test_lines(path: Path, text: str, expected: dict[str, float]) -> None:
    assert values(path, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[*]\ntemp = 0.5\n[m]\ntemp = 0.6\n",
            ": several objects have sampling settings: * (temp 0.5), m (temp 0.6); save one of them",
        ),
        (
            "[[m]]\ntemperature = 1.5\n[[m]]\ntop_k = 1\n",
            ": several objects have sampling settings: m.0 (temperature 1.5), m.1 (top_k 1); save one",
        ),
        ("[m]\ntemp = 0.5\n[m]\nname = a b\n", ": there are two sections [m]; remove one of them"),
        ("name = 'x'\n", ": no sampling settings; "),
        ("[m]\nname = x y\n", ":1: not JSON: "),
        ("TOP_K=3\nTEMP=0.5\nTEMP=0.6\n", ': \'TEMP\' is set twice, to "0.5" and "0.6"; remove one of them'),
        ("TEMPERATURE=low\nA=1\n", ': TEMPERATURE: expected a number, got the string "low"'),
        ("A=1\nTOP_P=0.9\nTEMPERATURE=low\n", ': TEMPERATURE: expected a number, got the string "low"'),
        ("[m]\ntop_k = 5%\n", ': m: top_k: expected a number, got the string "5%"'),
        ("TEMP=/tmp\nTOP_P=\n", ":1: not JSON: "),
        (
            "  Model\n    architecture        x\n    parameters  8B\n\n  Parameters\n    temperature  0.6\n",
            ": this is the output of ollama show MODEL; pass that of ollama show --parameters MODEL",
        ),
        ("temperature 0.5\nsampler chain top-k\n", ":1: not JSON: "),
        ("name=x\nport=5\n", ":1: not JSON: "),
    ],
)
def test_errors_in_lines(path: Path, text: str, message: str) -> None:
    assert problem(path, text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\nSamplingParams(top_k=3", ":2: expected SamplingParams(NAME=VALUE, …), as Python prints it"),
        ("SamplingParams(top_k=3, top_k=4)", ": 'top_k' is set twice, to 3 and 4; remove one of them"),
        (
            "SamplingParams(top_k=3)\nSamplingParams(top_k=4)",
            ":2: 2 SamplingParams with different values; save one of them",
        ),
        (
            "SamplingParams(temperature=float('inf'))",
            ": SamplingParams: temperature: expected a number, got the string",
        ),
        ("SamplingParams(temperature=1e999)", ": SamplingParams: temperature: expected a finite number, got inf"),
        ("SamplingParams(n=1)", ": no sampling settings; "),
        (
            "".join(
                f"Default vLLM sampling parameters have been overridden by x: `{{'top_k': {k}}}`\n" for k in (3, 3, 4)
            ),
            ":3: the defaults differ from those of an earlier line; save the part of one start",
        ),
        (
            "{'temperature': 0.5,\n 'temperature': 0.6}",
            ": 'temperature' is set twice, to 0.5 and 0.6; remove one of them",
        ),
        ("{'temperature': 0.5,\n 'top_p' 1}", ":1: not JSON: "),
        ("{'top_k': 5, 'logit_bias': {'\\ud800': 1}}", ": a string has a lone surrogate"),
        ('{"top_k": 5, "stop": ["\\ud800"]}', ":1: a string has a lone surrogate"),
    ],
)
def test_errors_in_text_that_python_printed(path: Path, text: str, message: str) -> None:
    assert problem(path, text).startswith(message)


# Settings in texts


@pytest.mark.parametrize(
    ("text", "expected", "where"),
    [
        # vllm serve --config, a .kcpps file of KoboldCpp, and the results of lm-evaluation-harness.
        ("override-generation-config: '{\"temperature\": 0.5}'\n", {"tau": 0.5}, "override-generation-config"),
        (r'{"port": 5001, "gendefaults": "{\"top_p\": 0.9}"}', {"top_p": 0.9}, "gendefaults"),
        (
            '{"config": {"gen_kwargs": "temperature=0.5, top_k=3,until=x"}}',
            {"tau": 0.5, "top_k": 3},
            "config.gen_kwargs",
        ),
        # Docker Compose and Kubernetes.
        ("command: -m x.gguf --temp 0.5 --top-k=3 -fa\n", {"tau": 0.5, "top_k": 3}, "command"),
        ("args: [--port, '8000', --top-p, '0.9', --lora, a, --lora, b]\n", {"top_p": 0.9}, "args"),
        ("cmd: |\n  vllm serve x\n  --override-generation-config '{\"top_k\": 3}'\n", {"top_k": 3}, "cmd.vllm"),
        # sh -c with a script in another field, as in vLLM's guide to Kubernetes.
        (
            "command: [sh, -c]\nargs:\n- |\n  vllm serve x --override-generation-config '{\"top_k\": 3}'\n",
            {"top_k": 3},
            "args.vllm",
        ),
        # Helm, macros of llama-swap, and systemd.
        ("extraArgs: [--temp, '0.5']\n", {"tau": 0.5}, "extraArgs"),
        (
            "macros:\n  temp: 9\n  k: 9\n  exe: bin/x\n  run: ${exe} --top-k ${k}\n"
            "models:\n  a:\n    macros:\n      temp: 0.5\n      k: 3\n    cmd: |\n      ${run}\n      --temp ${temp}\n",
            {"tau": 0.5, "top_k": 3},
            "models.a.cmd.x",
        ),
        (
            "[Service]\nExecStart=/opt/exllama -m x \\\n  --temp 0.5 \\\n  --top-k 3\n[Install]\nWantedBy=a b\n",
            {"tau": 0.5, "top_k": 3},
            "Service.ExecStart.exllama",
        ),
        # A value that ends with a quotation mark.
        ("[Container]\nExec=serve --override-generation-config '{\"top_k\": 3}'\n", {"top_k": 3}, "Container.Exec"),
        # OpenInference, Triton's vLLM backend, Bedrock, transformers serve, SGLang, and LocalAI's gallery.
        (r'{"llm": {"invocation_parameters": "{\"temperature\": 0.5}"}}', {"tau": 0.5}, "llm.invocation_parameters"),
        (r'{"text_input": "x", "sampling_parameters": "{\"top_p\": 0.9}"}', {"top_p": 0.9}, "sampling_parameters"),
        (r'{"body": "{\"inputText\": \"x\", \"textGenerationConfig\": {\"topP\": 0.9}}"}', {"top_p": 0.9}, "body.text"),
        (r'{"messages": [], "generation_config": "{\"top_k\": 3}"}', {"top_k": 3}, "generation_config"),
        ("sgl.launch --preferred-sampling-params '{\"top_k\": 3}'", {"top_k": 3}, "sgl.launch.preferred-"),
        ("config_file: |\n  name: x\n  parameters:\n    top_k: 3\n", {"top_k": 3}, "config_file.parameters"),
        # vLLM's form of JSON in options.
        (
            "vllm serve x --override-generation-config.temperature 0.5 --override-generation-config.top_k=3",
            {"tau": 0.5, "top_k": 3},
            "vllm.serve.x.override-generation-config",
        ),
        # A Dockerfile.
        (
            'FROM a AS b\nCMD ["--temp", "9"]\nFROM c\nENTRYPOINT ["x", "--top-k", "3"]\nCMD ["--temp", "0.5"]\n',
            {"tau": 0.5, "top_k": 3},
            "command.x",
        ),
        ("FROM a\nCOPY b c\nCMD x -m y \\\n  --temp 0.5\n", {"tau": 0.5}, "command"),
        # A program whose name may be a word.
        ("#!/bin/sh\ninspect eval x.py --model a/b --temperature 0.5\n", {"tau": 0.5}, "inspect.eval.x.py"),
        # A request.
        ("curl -s http://x/v1 -H 'A: b' -H 'C: d' \\\n -d '{\n\"top_k\": 3}'\n", {"top_k": 3}, "curl.d"),
        # A script.
        ("#!/bin/sh\nbin/exllama -m 'my model' \\\n --temp 0.5 --seed -1  # mine\n", {"tau": 0.5}, "exllama"),
    ],
)
def test_settings_in_a_text(path: Path, text: str, expected: dict[str, float], where: str) -> None:
    pytest.importorskip("yaml")
    assert values(path, text) == expected
    assert read(str(path)).origin.path.startswith(where)


def test_a_command_of_llama_cpp_has_its_defaults(path: Path) -> None:
    expected = {"tau": 0.5, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
    assert values(path, "./build/bin/llama-server -m x.gguf --temp 0.5\n") == expected
    assert read(str(path)).origin.engine == "llama.cpp"
    pytest.importorskip("yaml")
    assert values(path, "command: [sh, -c, 'PORT=1 exec llama-server -c 4096 --temp 0.5']\n") == expected
    assert read(str(path)).origin.path == "command.sh.c.PORT=1.exec.llama-server"
    message = problem(path, "llama-cli --temp 0.5 --temp 0.6 --top-k 3")
    assert message.startswith(': \'temp\' is set twice, to "0.5" and "0.6"')


@pytest.mark.parametrize(
    "text",
    [
        "llama-server -m x.gguf --temp 0.5 &",
        "llama-server -m x.gguf --temp 0.5 > log.txt 2>&1",
        'exec llama-server -m x.gguf --temp 0.5 "$@"',
        "#!/bin/bash\nset -euo pipefail\ncd models && llama-server -t $(nproc) --temp 0.5 2>/dev/null | tee log\n",
        "bash -lc 'cd models; llama-server --temp 0.5'",
        "llama-server -p 'a; b & --temp 1 > x' -r '>' --temp 0.5",
        # Values in several lines.
        "llama-server \\\r\n  -m x.gguf \\\r\n  --temp 0.5\r\n",
        "llama-server\n  -m x.gguf\n  # mine\n  --temp 0.5\n",
    ],
)
def test_a_script_with_a_command(path: Path, text: str) -> None:
    assert values(path, text) == {"tau": 0.5, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
    pytest.importorskip("yaml")
    assert values(path, json.dumps({"command": text}))["tau"] == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "llama-server.exe -m x.gguf --temp 0.5",
        "C:\\llama.cpp\\llama-server.exe -m x.gguf ^\r\n  --temp 0.5",
        ".\\llama-cli.exe -m x.gguf `\n  --temp 0.5\n",
        "sudo -u a numactl --cpunodebind=0 /opt/llama-server -m x.gguf --temp 0.5 --alias llama-server",
        "sudo -E llama-completion --temp 0.5",
        "docker run --rm --top-k 9 -p 80:80 ghcr.io/ggml-org/llama.cpp:server-cuda -m x.gguf --temp 0.5",
        '{"image": "ghcr.io/ggml-org/llama.cpp:server", "command": "-m x.gguf --temp 0.5"}',
        '{"image": "a/llama.cpp:server", "args": ["--temp", "0.5"]}',
        'FROM a/llama.cpp:server\nENV A=1\nCMD ["--temp", "0.5"]\n',
        "FROM a\nENV LLAMA_ARG_TEMPERATURE 0.5\n",
        '{"image": "a/llama.cpp:server", "args": ["llama-server --temp 0.5"]}',
    ],
)
def test_a_program_of_llama_cpp_in_another_command(path: Path, text: str) -> None:
    assert values(path, text) == {"tau": 0.5, "top_k": 40, "top_p": 0.95, "min_p": 0.05}


@pytest.mark.parametrize(
    "text",
    [
        # Unix shells, Windows, PowerShell, fish and csh.
        "export LLAMA_ARG_TOP_K=3 A=1\nllama-server --temp 0.5\n",
        "export LLAMA_ARG_TOP_K=3\n./run.sh --temp 0.5\n",
        "@echo off\r\nset LLAMA_ARG_TOP_K=3\r\nllama-server.exe --temp 0.5\r\n",
        'set "LLAMA_ARG_TOP_K=3"\nllama-server.exe --temp 0.5\n',
        "$Env:LLAMA_ARG_TOP_K = '3'; .\\llama-server.exe --temp 0.5\n",
        "set -gx LLAMA_ARG_TOP_K 3\nllama-server --temp 0.5\n",
        "setenv LLAMA_ARG_TOP_K 3\nllama-server --temp 0.5\n",
        # An option overrides a variable.
        "set LLAMA_ARG_TOP_K=9\nllama-server.exe --temp 0.5 --top-k 3\n",
        # A unit of systemd, in which an empty value removes those before it, and a container of Podman.
        "[Service]\nEnvironment=A=1\nEnvironment='LLAMA_ARG_TOP_K=3' \"B=1 2\"\nExecStart=llama-server --temp 0.5\n",
        "[Service]\nExecStart=llama-server --temp 9\nExecStart=\nExecStart=llama-server --temp 0.5 --top-k 3\n",
        "[Service]\nEnvironment=LLAMA_ARG_TOP_K=3 LLAMA_ARG_TEMPERATURE=0.5\nExecStart=llama-server -m x.gguf\n",
        "[Container]\nImage=a/llama.cpp:server\nEnvironment=LLAMA_ARG_TOP_K=3\nExec=-m x.gguf --temp 0.5\n",
        # A Dockerfile, and containers.
        'FROM a/llama.cpp:server\nENV A=1 LLAMA_ARG_TOP_K="3"\nENV B C=2\nCMD ["--temp", "0.5"]\n',
        '{"image": "a/llama.cpp:server", "args": ["--temp", "0.5"], "env": [{"name": "LLAMA_ARG_TOP_K", "value": 3}]}',
        '{"image": "a/llama.cpp:server", "command": "--temp 0.5", "environment": {"LLAMA_ARG_TOP_K": 3, "TOP_P": 0.1}}',
        '{"models": {"x": {"cmd": "llama-server --temp 0.5", "env": ["A=1", "LLAMA_ARG_TOP_K=3"]}}}',
        '{"command": ["sh", "-c", "cd m && exec llama-server --temp 0.5"], "env": {"LLAMA_ARG_TOP_K": 3}}',
        "LLAMA_ARG_TOP_K=3 sh -c 'llama-server --temp 0.5'",
    ],
)
def test_a_command_of_llama_cpp_has_its_environment_variables(path: Path, text: str) -> None:
    assert values(path, text) == {"tau": 0.5, "top_k": 3, "top_p": 0.95, "min_p": 0.05}


def test_a_variable_whose_value_is_in_another_file_is_an_error(path: Path) -> None:
    fields = {"command": "llama-server --temp 0.5", "env": [{"name": "LLAMA_ARG_TOP_K", "valueFrom": {"key": "k"}}]}
    message = ': command.llama-server: LLAMA_ARG_TOP_K: expected a number, got the string "valueFrom"'
    assert problem(path, json.dumps(fields)).startswith(message)


def test_a_command_and_the_variables_of_another_container_are_different_settings(path: Path) -> None:
    chat = {"command": "llama-server --temp 0.6", "environment": {"LLAMA_ARG_TOP_K": 2}}
    coder = {"image": "ghcr.io/ggml-org/llama.cpp:server", "environment": {"LLAMA_ARG_TOP_K": 9}}
    for one in (chat, {"command": chat["command"]}):
        found = problem(path, json.dumps({"services": {"chat": one, "coder": coder}}))
        assert found.startswith(": several objects have sampling settings: ")
        assert "services.coder.environment (top_k 9)" in found
        assert "services.chat.command.llama-server (" in found


def test_a_variable_that_a_command_does_not_read_is_named(path: Path) -> None:
    fields = {"command": "llama-server --temp 0.5", "env": {"TEMPERATURE": 0.9, "LLAMA_ARG_TOP_P": 0.8}}
    assert values(path, json.dumps(fields))["top_p"] == 0.8
    assert read(str(path)).unused == ("env: TEMPERATURE 0.9 is not applied, since it is not in command.llama-server",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('llama-server $ARGS --temp 0.5 "$@"', "$ARGS and $@"),
        ("${latest} -m x.gguf --temp 0.5", "${latest}"),
        ('{"macros": {"b": 1}, "models": {"x": {"cmd": "${a-b} --temp 0.5"}}}', "${a-b}"),
        ("%ARGS% --temp 0.5", "%ARGS%"),
    ],
)
def test_words_that_stand_for_unknown_options_are_named(path: Path, text: str, words: str) -> None:
    assert values(path, text)["tau"] == 0.5
    settings = read(str(path))
    assert settings.unused == (f"tsoft does not expand {words}, which may contain other settings",)
    assert "$" not in settings.origin.path


@pytest.mark.parametrize(
    "text",
    [
        "ARGS='--temp 0.5'\nllama-server -m x.gguf $ARGS\n",
        "set T=0.5\nllama-server.exe -m x.gguf --temp %T%\n",
        "[Service]\nEnvironment='ARGS=--temp 0.5'\nExecStart=llama-server $ARGS\n",
        '{"env": [{"name": "T", "value": "0.5"}], "args": ["llama-server", "--temp", "$(T)"]}',
    ],
)
def test_a_variable_that_the_file_sets_stands_for_its_value(path: Path, text: str) -> None:
    assert values(path, text) == {"tau": 0.5, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
    assert read(str(path)).unused == ()


def test_other_words_of_a_command_are_skipped(path: Path) -> None:
    assert values(path, "docker run -p 8080:8080 -v x:/m IMAGE -m /m/x.gguf --temp 0.5") == {"tau": 0.5}


def test_a_command_without_a_temperature(path: Path) -> None:
    assert values(path, "llama-cli -m x.gguf --repeat-penalty 1.3")["repetition_penalty"] == 1.3
    assert values(path, "llama-cli -m x.gguf --mirostat 2 --mirostat-ent 3") == {"mirostat_tau": 3, "tau": 0.8}


@pytest.mark.parametrize(
    ("options", "samplers"),
    [
        ("--samplers top_k", ("top_k",)),
        ("--samplers 'temp;top_k'", ("temperature", "top_k")),
        ("--sampling-seq kt", ("top_k", "temperature")),
        ("--sampler-seq=tk", ("temperature", "top_k")),
    ],
)
def test_the_order_of_a_command_of_llama_cpp(path: Path, options: str, samplers: tuple[str, ...]) -> None:
    """common/arg.cpp: --samplers has names, --sampling-seq letters, and --dynatemp-exp has no other name."""
    path.write_text(f"llama-server -m x.gguf {options} --top-k 3 --temp 0.5 --dynatemp-range 0.3 --dynatemp-exp 2")
    dynamic = {"tau": 0.5, "dynatemp_range": 0.3, "dynatemp_exponent": 2} if "temperature" in samplers else {}
    assert (dict(read(str(path)).values), read(str(path)).samplers) == ({"top_k": 3, **dynamic}, samplers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LLAMA_ARG_TOP_K=2 llama-server -m x.gguf --temp 0.7", {"tau": 0.7, "top_k": 2}),
        # An option overrides the variable.
        ("LLAMA_ARG_TOP_K=2 LLAMA_ARG_TEMPERATURE=3 llama-cli --temp 0.7", {"tau": 0.7, "top_k": 2}),
        ("export LLAMA_ARG_TOP_K=2 A=1\nmkdir -p a\nllama-server -m x --temp 0.7", {"tau": 0.7, "top_k": 2}),
        ("docker run -e LLAMA_ARG_TOP_K=2 -eLLAMA_ARG_TEMPERATURE=0.7 a/llama.cpp -c 9", {"tau": 0.7, "top_k": 2}),
        ("export LLAMA_ARG_TOP_K=2\nLLAMA_ARG_TEMPERATURE=0.7\n", {"tau": 0.7, "top_k": 2}),
        ('{"a": {"environment": {"LLAMA_ARG_TOP_K": 2, "LLAMA_ARG_TEMPERATURE": "0.7"}}}', {"tau": 0.7, "top_k": 2}),
        ('{"environment": ["LLAMA_ARG_TOP_K=2", "A=1"]}', {"tau": 0.8, "top_k": 2}),
        ('{"env": [{"name": "LLAMA_ARG_TOP_K", "value": "2"}, {"name": "A"}]}', {"tau": 0.8, "top_k": 2}),
    ],
)
def test_environment_variables_of_llama_cpp(path: Path, text: str, expected: dict[str, float]) -> None:
    """set_env in common/arg.cpp."""
    assert values(path, text) == {"top_p": 0.95, "min_p": 0.05, **expected}
    assert (read(str(path)).origin.engine, read(str(path)).unused) == ("llama.cpp", ())


def test_other_environment_variables_of_llama_cpp_are_named(path: Path) -> None:
    path.write_text("LLAMA_ARG_TEMP=0.5\nLLAMA_ARG_MIN_P=0.1\nLLAMA_ARG_MODEL=x\n")
    assert read(str(path)).unused == ("LLAMA_ARG_TEMP 0.5 is not applied, since tsoft does not know this field",)


@pytest.mark.parametrize(
    ("options", "breakers"),
    [
        (r"--dry-sequence-breaker a --dry-sequence-breaker '\n'", ("a", "\n")),
        ("--dry-sequence-breaker a --dry-sequence-breaker=none", ()),
        ("", None),
    ],
)
def test_sequence_breakers_of_a_command(path: Path, options: str, breakers: Any) -> None:
    path.write_text(f"llama-server -m x.gguf --dry-multiplier 0.8 {options}")
    assert read(str(path)).breakers == breakers


def test_grammars_of_a_command_are_named(path: Path) -> None:
    path.write_text("llama-cli --temp 0.5 --grammar-file g.gbnf -j '{}' -jf s.json")
    assert sorted(sentence.split()[0] for sentence in read(str(path)).unused) == [
        "grammar-file",
        "json-schema",
        "json-schema-file",
    ]
    path.write_text("bin/other --temp 0.5 -j 4")
    assert read(str(path)).unused == ()


def test_two_orders_of_a_command(path: Path) -> None:
    message = problem(path, "llama-cli --samplers top_k --sampling-seq kt --temp 0.5")
    assert message == ": llama-cli: samplers and sampling-seq set the order; keep one of them"


def test_a_command_and_a_request_with_different_settings_are_an_error(path: Path) -> None:
    """It overrides the settings of the server."""
    text = "llama-server --temp 0.6 &\nsleep 5\ncurl x:8080/completion -d '{\"temperature\": 0.2}'\n"
    assert problem(path, text).startswith(
        ": several objects have sampling settings: 0.llama-server (temp 0.6), 1.curl."
    )


@pytest.mark.parametrize("separator", ["\n", "; ", " && ", " || ", " | ", " & "])
def test_several_commands_are_several_objects(path: Path, separator: str) -> None:
    text = separator.join(("bin/llama-server --temp 0.6 --no-mmap", "bin/llama-server --top-k 1 --no-mmap"))
    message = ": several objects have sampling settings: 0.llama-server (temp 0.6), 1.llama-server (top_k 1); save one"
    assert problem(path, text).startswith(message)
    message = message.replace("0.llama", "command.0.llama").replace("1.llama", "command.1.llama")
    assert problem(path, json.dumps({"command": text})).startswith(message)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-l 0-5 --logit-bias 1+2.5", ((0, -5.0), (1, 2.5))),
        ("--logit-bias=3-1 --temp 0.5", ((3, -1.0),)),
    ],
)
def test_biases_of_a_command_of_llama_cpp(path: Path, options: str, expected: tuple[tuple[int, float], ...]) -> None:
    """TOKEN_ID(+/-)BIAS in common/arg.cpp."""
    path.write_text(f"llama-server -m x.gguf {options}")
    assert read(str(path)).biases == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "llama-cli --temp 1 --logit-bias x",
            ": llama-cli: logit_bias: expected an array of [token, bias] or an object",
        ),
        ("llama-cli -l 1-1 -l 1+2", ": logit_bias: '1' is set twice, to "),
        *((text, ":1: not JSON: ") for text in ("Never use --temp 0.6", "--temp 0.6 is low", "a-b -p 'x --temp 0.6")),
        *((text, ":1: not JSON: ") for text in ("please use --temp 0.6", "use --model a --temp 0.6 if you like")),
    ],
)
def test_errors_in_a_command(path: Path, text: str, message: str) -> None:
    found = problem(path, text)
    assert found.startswith(message)
    assert ("or as a command with its options, such as llama-server --temp 0.7" in found) is ("not JSON" in message)


@pytest.mark.parametrize(
    "text",
    ["pass --temp 0.5 if you like", "a = 0.5, top_k", '{"temperature": "low"}', "--temp 0.5 'x", "[--temp, 1]", ""],
)
def test_a_text_that_only_mentions_settings(path: Path, text: str) -> None:
    assert values(path, json.dumps({"top_p": 0.9, "description": text, "prompt": "top_k=3"})) == {"top_p": 0.9}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Ollama's defaults.
        (
            r'{"model": "m", "system": "{\"temperature\": 21}", "prompt": "x", "options": {"num_ctx": 9}}',
            {"tau": 0.8, "top_k": 40, "top_p": 0.9},
        ),
        ('{"model": "m", "messages": [], "logit_bias": {"1": -1}, "user": "temp=0.2"}', {}),
        ('{"prompt": "x", "memory": "temp=0.2", "max_length": 80, "rep_pen": 1.1}', {"repetition_penalty": 1.1}),
        ('{"max_tokens": 7, "logit_bias": {"1": -1}, "question": "Explain --temp 0.6"}', {}),
        ('{"name": "temp=0.7,top_p=0.9", "temp": 0.7, "top_p": 0.9}', {"tau": 0.7, "top_p": 0.9}),
        ('{"do_sample": false, "name": "temperature=0.7"}', {"tau": 0}),
        ('{"temperature": 0.7, "stop": ["--temp", "0.3"]}', {"tau": 0.7}),
        ('{"temperature": 0.7, "weather": "temperature=21,humidity=3"}', {"tau": 0.7}),
        (r'{"do_sample": false, "input": "{\"temperature\": 21}", "arguments": "{\"temp\": 21}"}', {"tau": 0}),
        (r'{"temperature": 0.5, "system": "{\"temperature\": 21}", "messages": []}', {"tau": 0.5}),
        (r'{"do_sample": false, "request": "temperature: 21\nhumidity: 40"}', {"tau": 0}),
        (r'{"do_sample": false, "user_request": "{\"temperature\": 21}"}', {"tau": 0}),
    ],
)
def test_a_text_in_other_fields_is_not_read(path: Path, text: str, expected: dict[str, float]) -> None:
    got = {name: value for name, value in values(path, text).items() if name != "penalty_last_n"}
    assert (got, read(str(path)).origin.path) == (expected, "options" if "options" in text else "")


@pytest.mark.parametrize(
    "fields",
    [
        # A text, a schema of a tool, a call of a tool, an answer, and data.
        {"messages": [], "user": '{"temperature": 21}'},
        {"input": "x", "tools": [{"parameters": '{"temperature": 21}'}]},
        {"messages": [], "parameters": '{"properties": {"temperature": {"type": "number", "default": 21}}}'},
        {"prompt": "x", "arguments": '{"temperature": 21}', "output": '{"top_p": 0.1}'},
        {"prompt": "x", "tool_args": '{"temperature": 21}', "args": [["--temp", "21"]]},
        {"messages": [{"content": "x", "config": '{"temperature": 21}'}], "stop": ["--temp", "21"]},
        {"prompt": "x", "config": "Use --temp 21, or temperature: 21", "options": "temperature=21"},
        {"prompt": "x", "settings": "\nThe temperature: 21\nis high\n"},
        {"prompt": "x", "body": '{"weather": {"temperature": 21}}'},
        {"prompt": "x", "config": "a: [\ntop_k: 3\n"},
        {"prompt": "x", "config": "a:\n" + "[" * 9000},
        {"prompt": "x", "config": 'top_k: 3\nstop: "\\ud800"\n'},
        {
            "prompt": "x",
            "config": "\n".join(["c0: &c0 {x: 1}", *(f"c{i}: &c{i} {{params: *c{i - 1}}}" for i in (1, 2))]),
        },
    ],
)
def test_settings_in_a_text_of_a_request_are_not_read(path: Path, fields: dict[str, Any]) -> None:
    assert values(path, json.dumps(fields)) == {}


def test_a_text_without_settings_elsewhere_is_not_read(path: Path) -> None:
    pytest.importorskip("yaml")
    message = problem(path, "model: x\ndescription: temperature=0.2\nmax_tokens: 5\n")
    assert message.startswith(": no sampling settings; ")


@pytest.mark.parametrize(
    "fields",
    [
        {"command": "python gen.py --temperature 0.7", "temperature": 0.5},
        {"args": ["--temperature", "0.5", "--top-k", "2"], "temperature": 0.5},
        {"cmd": "bin/a --temp 0.5 --temp 0.6", "presets": {"x": {"temperature": 0.5}}},
        {"sampling_params": '{"temperature": 0.7}', "temperature": 0.5},
    ],
)
def test_a_command_next_to_settings_is_not_applied(path: Path, fields: dict[str, Any]) -> None:
    assert values(path, json.dumps(fields)) == {"tau": 0.5}
    where = "presets.x" if "presets" in fields else "the outermost object"
    sentence = f"the settings in {next(iter(fields))} are not applied, since {where} has settings"
    assert read(str(path)).unused == (sentence,)


def test_binary_files_are_named(path: Path) -> None:
    path.write_bytes(b"PAR1" + b"\0" * 100)
    with pytest.raises(InputError, match="this is a Parquet file"):
        read(str(path))


PIECES = ["FROM x\n", "PARAMETER top_k 3\n", "SamplingParams(", "top_k=3", ")", "(", "'", '"""', "top_k: 3\n", "{", "}"]
PIECES += [
    "'a': 1",
    ",",
    "- ",
    "<<: *a\n",
    "&a ",
    "\n",
    "\t",
    "#",
    "\0",
    "GGUF",
    '"top_k": 3',
    "[",
    "]",
    ": ",
    "=<x>",
    "é",
    "\\",
]


def test_any_text_is_settings_or_an_input_error(path: Path) -> None:
    random = Random(1)
    for _ in range(200):
        path.write_text("".join(random.choices(PIECES, k=random.randint(0, 12))))
        with contextlib.suppress(InputError):
            assert set(read(str(path)).values) <= {("top_k", 3.0), ("tau", 0.8), ("top_p", 0.9)}
