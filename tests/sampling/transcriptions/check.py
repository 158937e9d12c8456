"""Compare the transcriptions with the engines themselves, on random cases.

    python check.py [CASES]

needs transformers with PyTorch, mlx-lm, and xllamacpp, whose extension module exports llama.cpp's C functions; an
engine that is not installed is left out. A case has 3 to 50 classes, often with ties or masked classes, a history, and
random settings. Prints how many cases of each sampler and path were compared, and each disagreement: another kept set,
or a probability that is off by more than a few roundings. Of tied classes at a boundary an engine may keep others than
the transcription, if they are as many.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

if __name__ == "__main__":
    # This folder has modules with the names of the engines.
    here = Path(__file__).parent
    sys.path[:] = [str(here.parents[1]), *(p for p in sys.path if Path(p).resolve() != here)]

from sampling.transcriptions import llama_cpp, mlx_lm, transformers
from sampling.transcriptions.common import FLOAT, History, Row, Settings, kept, mixture, softmax

Engine = Callable[[Row, Settings, History], Row]
TOLERANCE = 1e-5


@dataclass
class Report:
    """Cases and disagreements by name."""

    cases: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    ties: int = 0

    def compare(self, name: str, expected: Row, got: Row, tied: bool, case: object) -> None:
        """Count a case, and note a disagreement; if the case has ties, sorted probabilities that agree are enough."""
        self.cases[name] = self.cases.get(name, 0) + 1
        if tied:
            self.ties += kept(expected) != kept(got)
            expected, got = np.sort(expected), np.sort(got)
        if kept(expected) != kept(got) or not np.allclose(expected, got, rtol=1e-4, atol=TOLERANCE):
            self.wrong.append(f"{name}: engine {kept(expected)}, transcription {kept(got)}; {case}")

    def show(self) -> None:
        """Print the counts and the disagreements."""
        for name, count in self.cases.items():
            print(f"{name}: {count} cases, {sum(w.startswith(name + ':') for w in self.wrong)} disagreements")
        print(f"{self.ties} cases in which the engine keeps others of several tied classes", *self.wrong, sep="\n")


def random_logits(rng: Generator) -> Row:
    """3 to 50 logits; in half of the cases with ties, in some with masked classes."""
    z = rng.normal(size=int(rng.integers(3, 51))) * rng.choice([0.5, 1, 3])
    if rng.random() < 0.5:
        z = np.round(z * 2) / 2
    if rng.random() < 0.15:
        z[rng.integers(len(z), size=2)] = -np.inf
        z[0] = 1
    return np.asarray(z, FLOAT)


def random_history(rng: Generator, size: int) -> History:
    """Up to 90 tokens, with repetitions."""
    piece = [int(t) for t in rng.integers(size, size=int(rng.integers(1, 9)))]
    tokens = [int(t) for t in rng.integers(size, size=int(rng.integers(0, 20)))]
    tokens += piece * int(rng.integers(0, 10))
    return History(tuple(tokens), int(rng.integers(len(tokens) + 1)))


def choices_for(rng: Generator, size: int) -> dict[str, Callable[[], Any]]:
    """How to choose each parameter."""
    return {
        "temperature": lambda: float(rng.choice([0.3, 0.7, 1.0, 1.3, 2.0])),
        "top_k": lambda: int(rng.integers(1, size)),
        "top_p": lambda: float(rng.choice([0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.999])),
        "min_p": lambda: float(rng.choice([0.01, 0.1, 0.5, 1.0])),
        "typical_p": lambda: float(rng.choice([0.2, 0.5, 0.9])),
        "top_h": lambda: float(rng.choice([0.2, 0.5, 0.9])),
        "epsilon_cutoff": lambda: float(rng.choice([0.01, 0.1])),
        "eta_cutoff": lambda: float(rng.choice([0.01, 0.1])),
        "top_n_sigma": lambda: float(rng.choice([0.5, 1.0, 2.0])),
        "xtc_threshold": lambda: float(rng.choice([0.05, 0.1, 0.3])),
        "xtc_probability": lambda: float(rng.choice([0.25, 1.0])),
        "dynatemp_range": lambda: float(rng.choice([0.2, 0.5])),
        "dynatemp_exponent": lambda: float(rng.choice([0.5, 2.0])),
        "repetition_penalty": lambda: float(rng.choice([0.8, 1.1, 1.5])),
        "presence_penalty": lambda: float(rng.choice([-0.5, 0.3, 1.0])),
        "frequency_penalty": lambda: float(rng.choice([-0.1, 0.1, 0.5])),
        "penalty_last_n": lambda: int(rng.choice([1, 5, 30])),
        "dry_base": lambda: float(rng.choice([1.0, 1.75, 2.0])),
        "dry_allowed_length": lambda: int(rng.integers(0, 5)),
        "dry_penalty_last_n": lambda: int(rng.choice([3, 20, 200])),
        "dry_breakers": lambda: tuple(
            tuple(int(t) for t in rng.integers(size, size=int(rng.integers(1, 4)))) for _ in range(3)
        ),
        "mirostat_tau": lambda: float(rng.choice([1.0, 3.0])),
        "mirostat_mu": lambda: float(rng.choice([-1.0, 1.0, 2.0, 4.0])),
        "adaptive_target": lambda: float(rng.choice([-1.0, 0.0, 0.2, 0.6])),
        "logit_bias": lambda: {int(t): float(b) for t, b in zip(rng.integers(size, size=3), (-2, 1, 3), strict=True)},
    }


def chosen(rng: Generator, size: int, names: str, share: float = 0.4) -> Settings:
    """Random settings among the named parameters."""
    choices = choices_for(rng, size)
    return Settings(**{name: choices[name]() for name in names.split() if rng.random() < share})


def short(settings: Settings) -> dict[str, Any]:
    """The parameters that are set."""
    return {name: value for name, value in asdict(settings).items() if value is not None}


def cases(seed: int, count: int, names: str, share: float = 0.4) -> Iterator[tuple[Row, Settings, History]]:
    """Random cases."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        z = random_logits(rng)
        yield z, chosen(rng, len(z), names, share), random_history(rng, len(z))


def check(
    report: Report, name: str, engine: Engine, path: Engine, drawn: Iterator[tuple[Row, Settings, History]]
) -> None:
    """Compare an engine's path with the transcription."""
    for z, settings, history in drawn:
        with np.errstate(all="ignore"):
            expected = engine(z.copy(), settings, history)
            got = path(z.copy(), settings, history)
        case = (short(settings), z.tolist() if len(z) < 12 else len(z))
        report.compare(name, expected, got, len(np.unique(z)) < len(z), case)


def transformers_engine() -> Engine:
    """The processors that transformers builds from a generation config, and a softmax."""
    torch, library = import_module("torch"), import_module("transformers")
    small = library.GPT2Config(
        vocab_size=2, n_positions=2, n_embd=2, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
    )
    model = library.GPT2LMHeadModel(small)

    def run(z: Row, settings: Settings, history: History) -> Row:
        options = {k: v for k, v in short(settings).items() if k != "logit_bias"}
        if settings.logit_bias:
            options["sequence_bias"] = [[[token], bias] for token, bias in settings.logit_bias.items()]
        config = library.GenerationConfig(do_sample=True, **{"top_k": 0, "temperature": 1.0, **options})
        ids = torch.tensor([list(history.tokens)], dtype=torch.long)
        processors = model._get_logits_processor(config, input_ids_seq_length=ids.shape[1])
        scores = torch.tensor(z)[None]
        return np.asarray(torch.softmax(processors(ids, scores), -1)[0].numpy(), FLOAT)

    return run


def mlx_engine(xtc: float) -> Engine:
    """mlx-lm's logits processors and sampler, seen before the draw, with XTC taken always (1) or never (0)."""
    mx, sample_utils = import_module("mlx.core"), import_module("mlx_lm.sample_utils")
    seen: list[Any] = []

    def record(logprobs: Any, temp: float) -> Any:
        seen.append(logprobs * (1 / temp))
        return mx.zeros(1)

    def run(z: Row, settings: Settings, history: History) -> Row:
        size = 20 if settings.penalty_last_n is None else settings.penalty_last_n
        processors = sample_utils.make_logits_processors(
            settings.logit_bias,
            settings.repetition_penalty,
            size,
            settings.presence_penalty,
            size,
            settings.frequency_penalty,
            size,
        )
        logits = mx.array(z)[None]
        for processor in processors:
            logits = processor(mx.array(list(history.tokens), mx.int32), logits)
        sampler = sample_utils.make_sampler(
            temp=1.0 if settings.temperature is None else settings.temperature,
            top_p=settings.top_p or 0,
            min_p=settings.min_p or 0,
            top_k=settings.top_k or 0,
            xtc_probability=xtc if settings.xtc_probability else 0,
            xtc_threshold=0.1 if settings.xtc_threshold is None else settings.xtc_threshold,
        )
        setattr(sample_utils, "categorical_sampling", record)  # noqa: B010
        sampler(logits - mx.logsumexp(logits, keepdims=True))
        return softmax(np.array(seen.pop())[0])

    return run


class TokenData(ctypes.Structure):
    """llama_token_data."""

    _fields_ = (("id", ctypes.c_int32), ("logit", ctypes.c_float), ("p", ctypes.c_float))


class TokenDataArray(ctypes.Structure):
    """llama_token_data_array."""

    _fields_ = (
        ("data", ctypes.POINTER(TokenData)),
        ("size", ctypes.c_size_t),
        ("selected", ctypes.c_int64),
        ("sorted", ctypes.c_bool),
    )


class Vector(ctypes.Structure):
    """std::vector of the GNU C++ library."""

    _fields_ = (("begin", ctypes.c_void_p), ("end", ctypes.c_void_p), ("capacity", ctypes.c_void_p))


def vector(items: Any) -> Vector:
    """A view of a ctypes array as a std::vector."""
    address = ctypes.addressof(items)
    end = address + ctypes.sizeof(items)
    return Vector(address, end, end)


class LlamaCpp:
    """llama.cpp's samplers one by one."""

    def __init__(self) -> None:
        folder = Path(str(import_module("xllamacpp").__file__)).parent
        self.library = ctypes.CDLL(str(next(folder.glob("*.so"))))
        self.silence = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
        self.library.llama_log_set(self.silence, None)

    def sampler(self, name: str, *arguments: Any) -> int:
        """A new sampler. The floats must be c_float."""
        function = getattr(self.library, name)
        function.restype = ctypes.c_void_p
        return int(function(*arguments))

    def dry(self, multiplier: float, base: float, allowed: int, last: int, breakers: Any) -> int:
        """A DRY sampler with sequence breakers given as tokens."""
        arrays = [(ctypes.c_int32 * len(b))(*b) for b in breakers]
        vectors = (Vector * len(arrays))(*(vector(a) for a in arrays))
        name = "_Z30llama_sampler_init_dry_testingffiiRKSt6vectorIS_IiSaIiEESaIS1_EE"
        outer = vector(vectors)
        return self.sampler(name, ctypes.c_float(multiplier), ctypes.c_float(base), allowed, last, ctypes.byref(outer))

    def apply(self, samplers: list[int], z: Row, history: History) -> Row:
        """Accept the history, apply the samplers in turn, and give the softmax of what is left."""
        data = (TokenData * len(z))(*(TokenData(i, float(v), 0) for i, v in enumerate(z)))
        array = TokenDataArray(ctypes.cast(data, ctypes.POINTER(TokenData)), len(z), -1, False)
        for sampler in samplers:
            for token in history.tokens:
                self.library.llama_sampler_accept(ctypes.c_void_p(sampler), token)
        for sampler in samplers:
            self.library.llama_sampler_apply(ctypes.c_void_p(sampler), ctypes.byref(array))
            self.library.llama_sampler_free(ctypes.c_void_p(sampler))
        out = np.full(len(z), -np.inf, FLOAT)
        for i in range(array.size):
            out[array.data[i].id] = array.data[i].logit
        return softmax(out)


def number(value: float | None, default: float) -> Any:
    """A float argument."""
    return ctypes.c_float(default if value is None else value)


def llama_chain(llama: LlamaCpp, settings: Settings, xtc: float) -> list[int]:
    """The samplers of the server's default chain, with XTC taken always (1) or never (0), up to the draw."""
    make, s = llama.sampler, settings
    keep = ctypes.c_size_t(0)
    chain = [
        make(
            "llama_sampler_init_penalties",
            64,
            64 if s.penalty_last_n is None else s.penalty_last_n,
            number(s.repetition_penalty, 1),
            number(s.frequency_penalty, 0),
            number(s.presence_penalty, 0),
        )
    ]
    if s.dry_base is not None or s.dry_breakers is not None:
        chain.append(
            llama.dry(
                0.8,
                1.75 if s.dry_base is None else s.dry_base,
                2 if s.dry_allowed_length is None else s.dry_allowed_length,
                64 if s.dry_penalty_last_n is None else s.dry_penalty_last_n,
                s.dry_breakers or (),
            )
        )
    chain += [
        make("llama_sampler_init_top_n_sigma", number(s.top_n_sigma, -1)),
        make("llama_sampler_init_top_k", s.top_k or 0),
        make("llama_sampler_init_typical", number(s.typical_p, 1), keep),
        make("llama_sampler_init_top_p", number(s.top_p, 1), keep),
        make("llama_sampler_init_min_p", number(s.min_p, 0), keep),
        make(
            "llama_sampler_init_xtc",
            number(xtc if s.xtc_probability else 0, 0),
            number(s.xtc_threshold, 0.1),
            keep,
            1,
        ),
        make(
            "llama_sampler_init_temp_ext",
            number(s.temperature, 1),
            number(s.dynatemp_range, 0),
            number(s.dynatemp_exponent, 1),
        ),
    ]
    if s.adaptive_target is not None:
        chain.append(make("llama_sampler_init_adaptive_p", number(s.adaptive_target, 0), ctypes.c_float(0.9), 1))
    return chain


def with_dry(settings: Settings) -> Settings:
    """The settings with the multiplier that `llama_chain` gives DRY, and its temperature of 1."""
    options = short(settings)
    if settings.dry_base is not None or settings.dry_breakers is not None:
        options["dry_multiplier"] = 0.8
    if settings.dynatemp_range is not None:
        options.setdefault("temperature", 1.0)
    return Settings(**options)


def both_outcomes(never: Engine, always: Engine) -> Engine:
    """The mixture of the engine without and with XTC."""

    def run(z: Row, settings: Settings, history: History) -> Row:
        without = never(z.copy(), settings, history)
        if not settings.xtc_probability:
            return without
        return mixture(without, always(z.copy(), settings, history), settings.xtc_probability)

    return run


def check_transformers(report: Report, count: int) -> None:
    """The warpers one by one and together."""
    engine = transformers_engine()
    for seed, name in enumerate(transformers.SUPPORTED.split()):
        check(report, f"transformers {name}", engine, transformers.transformers, cases(seed, count, name, 1))
    every = cases(99, 5 * count, transformers.SUPPORTED)
    check(report, "transformers, all", engine, transformers.transformers, every)


def check_mlx(report: Report, count: int) -> None:
    """mlx-lm's release one by one and together."""
    engine = both_outcomes(mlx_engine(0), mlx_engine(1))
    for seed, names in enumerate(
        (*mlx_lm.SUPPORTED.replace("xtc_probability ", "").split(), "xtc_probability xtc_threshold")
    ):
        check(report, f"mlx-lm {names}", engine, mlx_lm.mlx_lm_0_32_2, cases(seed, count, names, 1))
    check(report, "mlx-lm, all", engine, mlx_lm.mlx_lm_0_32_2, cases(99, 5 * count, mlx_lm.SUPPORTED))


def check_llama(report: Report, count: int) -> None:
    """llama.cpp's samplers one by one and together.

    Typical-p is undefined if a class has probability 0, so not with masked classes, and not with DRY.
    """
    llama = LlamaCpp()

    def engine(xtc: float) -> Engine:
        return lambda z, s, h: llama.apply(llama_chain(llama, s, xtc), z, h)

    def path(z: Row, settings: Settings, history: History) -> Row:
        return llama_cpp.llama_cpp(z, with_dry(settings), history)

    both = both_outcomes(engine(0), engine(1))
    penalties = "repetition_penalty presence_penalty frequency_penalty penalty_last_n"
    dry = "dry_base dry_allowed_length dry_penalty_last_n dry_breakers"
    groups = ["top_n_sigma", "top_k", "top_p", "min_p", "temperature", "adaptive_target", penalties, dry]
    groups += ["xtc_probability xtc_threshold", "dynatemp_range dynatemp_exponent temperature", "typical_p"]
    for seed, names in enumerate(groups):
        drawn = cases(seed, count, names, 1 if " " not in names else 0.7)
        check(report, f"llama.cpp {names}", both, path, (c for c in drawn if names != "typical_p" or unmasked(c)))
    rest = " ".join(groups).replace("typical_p", "")
    check(report, "llama.cpp, all but typical-p", both, path, cases(98, 5 * count, rest))
    rest = rest.replace(dry, "typical_p")
    check(report, "llama.cpp, all but DRY", both, path, filter(unmasked, cases(99, 5 * count, rest)))
    check_mirostat(report, llama, count)


def unmasked(case: tuple[Row, Settings, History]) -> bool:
    """Whether no class is masked, also not by top-n-sigma."""
    z, settings, _ = case
    return bool(np.isfinite(z).all()) and (settings.top_n_sigma is None or settings.typical_p is None)


def check_mirostat(report: Report, llama: LlamaCpp, count: int) -> None:
    """Mirostat v2 with μ = 2τ."""

    def engine(z: Row, settings: Settings, history: History) -> Row:
        tau = 5.0 if settings.mirostat_tau is None else settings.mirostat_tau
        chain = [
            llama.sampler("llama_sampler_init_temp", number(settings.temperature, 1)),
            llama.sampler("llama_sampler_init_mirostat_v2", 1, ctypes.c_float(tau), ctypes.c_float(0.1)),
        ]
        return llama.apply(chain, z, history)

    drawn = cases(5, 2 * count, "temperature mirostat_tau", 0.7)
    check(report, "llama.cpp mirostat v2", engine, llama_cpp.llama_cpp_mirostat_v2, drawn)


def main() -> None:
    """Run what is installed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    report = Report()
    for run in (check_transformers, check_mlx, check_llama):
        try:
            run(report, count)
        except ImportError as error:
            print(f"{run.__name__}: {error}")
    report.show()


if __name__ == "__main__":
    main()
