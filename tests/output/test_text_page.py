"""Pages of texts: what a browser makes of them, and their numbers."""

import json
import math
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tool import TESTS, here
from tsoft.charts.style import COLD_TO_HOT, heat
from tsoft.errors import visible, visible_lines
from tsoft.output.page_style import DARK, LIGHT, Rgb, Scheme, style_sheet
from tsoft.output.text_page import PageText, PageToken, TextPage, page_html

DATA = TESTS / "data"
RESPONSE = str(DATA / "openai-chat.json")
BARN = ("--ngram", str(DATA / "barn.txt"))
# All elements that a page has, whatever its texts.
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "b", "section", "span", "i", "aside",
}  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>", '"onmouseover="alert(1)', "'><img src=x onerror=alert(1)>", "&lt;", "&#x3c;b&gt;",
    "]]>", "-->", "<!--", "</p></section>", "</style>", "<!DOCTYPE x>", "\u202eabc\u2066", "\0", "\x1b[31m", "\x9b",
    "\u0301", "a\nb", "\n", "\r\n", "\t", " ", "", "\ufeff", "\u2028", "\U0001f600", "http://example.org/",
)  # fmt: skip


@dataclass
class Token:
    """A token of a page: its class, its tooltip and its text."""

    heat: str
    tooltip: str
    text: str = ""

    @property
    def lines(self) -> list[str]:
        return self.tooltip.split("\n")

    def detail(self, name: str) -> str:
        """Return what follows a name in the lines above the alternatives."""
        [line] = [line for line in self.lines[1:] if line.startswith(name)]
        return line.removeprefix(name).strip()

    @property
    def alternatives(self) -> list[tuple[str, str, str]]:
        """The mark, the probability and the name of each alternative."""
        lines = self.lines[self.lines.index("") + 2 :]
        # The names start in the same column, with a quote.
        column = min(line.index("'") if "'" in line else line.index('"') for line in lines[:1])
        return [(line[0], line[2:column].strip(), line[column:]) for line in lines]


@dataclass
class Page(HTMLParser):
    """A page as a browser reads it: its elements, the attributes of its tokens, its headings, facts and texts."""

    source: str
    elements: set[str] = field(default_factory=set)
    attributes: set[tuple[str, ...]] = field(default_factory=set)
    headings: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    texts: list[list[Token]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._token: Token | None = None
        self._open: list[str] | None = None
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        values = dict(attrs)
        if tag in ("h1", "h2") or values.get("class") == "fact":
            self._open = self.facts if tag == "p" else self.headings
            self._open.append("")
        elif values.get("class") == "text":
            self._open = None
            self.texts.append([])
        elif "tabindex" in values:
            self.attributes.add(tuple(name for name, _ in attrs))
            self._token = Token(str(values["class"]), str(values["data-t"]))
            self.texts[-1].append(self._token)

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._token = None
        if tag in ("h1", "h2", "p"):
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._token is not None:
            self._token.text += data
        elif self._open is not None:
            self._open[-1] += data
        else:
            # Nothing is between the tokens: the text of the page is the text of the tokens.
            assert not self.texts or not data.strip() or data.startswith("Point at a token")

    @property
    def plain(self) -> list[str]:
        return ["".join(token.text for token in tokens) for tokens in self.texts]


def page(*arguments: str, stdin: str | None = None) -> Page:
    done = here(*arguments, "-f", "html", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return Page(done.stdout)


def response(tokens: tuple[str, ...]) -> str:
    """Return a response with these tokens, each with all of them as alternatives."""
    logprobs = [math.log(0.9 * 0.5 ** (i + 1)) for i in range(len(tokens))]
    listed = [
        {"token": token, "id": i, "logprob": logprob}
        for i, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True))
    ]
    return json.dumps({"choices": [{"logprobs": {"content": [{**token, "top_logprobs": listed} for token in listed]}}]})


def test_hostile_tokens_are_text() -> None:
    title = "</title><script>alert(1)</script>"
    parsed = page("compute", "--title", title, "--show", "50", stdin=response(HOSTILE))
    assert parsed.elements <= ELEMENTS
    assert parsed.attributes == {("tabindex", "class", "data-t")}
    assert parsed.headings == [title]
    [tokens] = parsed.texts
    assert [token.text for token in tokens] == list(map(visible_lines, HOSTILE))
    assert [token.lines[0] for token in tokens] == [visible(repr(token)) for token in HOSTILE]
    for token in tokens:
        assert [name for _, _, name in token.alternatives][:-1] == [visible(repr(token)) for token in HOSTILE]
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", parsed.source)


def test_a_page_needs_nothing_else() -> None:
    source = page("compute", "-i", RESPONSE).source
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)
    assert policy
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'", policy[1]
    )
    for forbidden in ("<script", "javascript:", "://", "url(", "@import", "src=", "href=", "<link", " on"):
        assert forbidden not in re.sub(r'data-t="[^"]*"', "", source).replace(" only ", "").lower(), forbidden


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("openai-chat.json", ["--tau", "0.7"]),
        ("openai-chat.json", ["--tau", "1.5", "--vocab-size", "50000"]),
        ("openai-chat.json", ["--tau", "0.7", "--min-p", "0.2"]),
        ("openai-chat.json", ["--tau", "0.7", "--top-p", "0.6"]),
        ("llama-server.json", ["--tau", "2", "--listed-only"]),
        ("same-text.json", []),
        ("responses/cohere-v2-chat.json", []),
    ],
)
def test_numbers_are_those_of_json(file: str, options: list[str]) -> None:
    arguments = ["compute", "-i", str(DATA / file), *options]
    rows = json.loads(here(*arguments, "-f", "json", "--chosen").stdout)
    parsed = page(*arguments, "--digits", "17", "--show", "50")
    [tokens] = parsed.texts
    assert [token.text for token in tokens] == [row["token"] for row in rows]
    for token, row in zip(tokens, rows, strict=True):
        chosen = row["chosen_low"], row["chosen_high"]
        assert bounds(token.detail("probability")) == pytest.approx(chosen, rel=1e-14)
        assert token.detail("rank") == str(row["rank"])
        assert token.heat == f"h{heat(row['chosen_high'])}"
        listed = {re.sub(r"#\d+$", "", name): (mark, prob) for mark, prob, name in token.alternatives}
        assert ("unlisted tokens" in listed) is not row["exact"]
        for label, low, high in zip(row["labels"], row["probs_low"], row["probs_high"], strict=True):
            if row["labels"].count(label) == 1:
                mark, prob = listed[visible(repr(label))]
                assert (low, high) == (0.0, 0.0) if prob == "removed" else bounds(prob) == (low, high)
                assert (mark == "›") is (label == row["token"])
        if not row["exact"]:
            low, high = bounds(listed["unlisted tokens"][1])
            expected = max(0, 1 - sum(row["probs_high"])), 1 - sum(row["probs_low"])
            assert (low, high) == pytest.approx(expected, abs=1e-12)
    measures = {fact.partition(": ")[0]: fact.partition(": ")[2] for fact in parsed.facts}
    for name, key in (("log-probability", "text_logprob"), ("sequence perplexity", "sequence_perplexity")):
        ends = [float(number) for number in measures[name].partition(" (")[0].split(" … ")]
        assert {ends[0], ends[-1]} == {rows[-1][f"{key}_low"], rows[-1][f"{key}_high"]}


def test_logarithms() -> None:
    [row, *_] = json.loads(here("compute", "-i", RESPONSE, "--tau", "0.7", "--chosen", "-f", "json").stdout)
    [[token, *_]] = page("compute", "-i", RESPONSE, "--tau", "0.7", "--log", "--digits", "17").texts
    ends = [float(end) for end in token.detail("log-probability").split(" … ")]
    assert ends == pytest.approx([math.log(row["chosen_low"]), math.log(row["chosen_high"])], rel=1e-12)


def test_unknown_probability_is_named() -> None:
    listed = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -9999}]
    unknown = {"token": "c", "logprob": -9999, "top_logprobs": []}
    content = [{**listed[1], "top_logprobs": listed}, unknown, {**listed[0], "top_logprobs": listed}]
    parsed = page("compute", stdin=json.dumps({"choices": [{"logprobs": {"content": content}}]}))
    [tokens] = parsed.texts
    assert [token.lines[1] for token in tokens] == ["probability unknown", "probability unknown", "probability 0.6065"]
    assert ("›", "?", "'b'") in tokens[0].alternatives
    # The token b may have all of the rest.
    assert tokens[0].alternatives[-1][1:] == ("≤ 0.3935", "unlisted tokens")
    # No color says that they are improbable.
    assert [token.heat for token in tokens] == ["", "", f"h{heat(math.exp(-0.5))}"]
    assert "log-probability: unknown" in parsed.facts


def bounds(text: str) -> tuple[float, float]:
    """Return the bounds in a text such as 0.1, ≤ 0.1 or 0.1–0.2."""
    if text.startswith("≤ "):
        return 0.0, float(text[2:])
    low, _, high = text.partition("–")
    return float(low), float(high or low)


def test_texts_that_alternate_have_sections() -> None:
    """The chunks of two choices alternate in a stream."""
    chunks = [
        {"choices": [{"index": i, "delta": {}, "logprobs": {"content": [{"token": token, "logprob": -i - 0.5}]}}]}
        for tokens in (("a", "c"), (" b", " d"))
        for i, token in enumerate(tokens)
    ]
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    parsed = page("compute", "--listed-only", "--digits", "6", stdin=stream)
    assert parsed.plain == ["a b", "c d"]
    assert parsed.headings[1:] == ["text 0", "text 1"]


CHOICE = {"logprobs": {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]}}


def model_response(name: str, model: str, number: int = 0) -> str:
    return json.dumps({"id": str(number), name: model, "choices": [CHOICE]})


@pytest.mark.parametrize("name", ["model", "modelVersion", "model_version"])
def test_the_model_is_named_as_text(name: str) -> None:
    parsed = page("compute", "--listed-only", stdin=model_response(name, "<b>tiny</b>\x1b[31m"))
    assert parsed.facts[0] == "model: <b>tiny</b>\\x1b[31m"
    assert "b" not in parsed.elements - ELEMENTS


def test_a_response_without_a_model_has_no_fact_about_it() -> None:
    parsed = page("compute", "--listed-only", stdin=json.dumps({"choices": [CHOICE]}))
    assert not any(fact.startswith("model") for fact in parsed.facts)


def test_texts_of_several_models_name_theirs() -> None:
    responses = [model_response("model", model, number) for number, model in enumerate(("one", "two", ""))]
    parsed = page("compute", "--listed-only", stdin="\n".join(responses))
    assert [fact for fact in parsed.facts if fact.startswith("model")] == ["model: one", "model: two"]
    assert parsed.facts.index("model: two") > parsed.facts.index("model: one") + 1


def test_the_temperature_of_the_colors_is_named() -> None:
    parsed = page("compute", "-i", RESPONSE, "--tau", "0.7")
    assert "colors: by the probability at τ = 0.7, or by its upper bound if only bounds are known" in parsed.facts


def test_generated_texts_are_those_of_json() -> None:
    arguments = ["generate", "In the evening <the> cat", *BARN, "--seed", "1", "--max-tokens", "12", "--top-p", "0.9"]
    arguments += ["--tau", "0.5,2", "-n", "2", "--beams", "2", "--top-logprobs", "5"]
    records = json.loads(here(*arguments, "-f", "json").stdout)
    parsed = page(*arguments, "--digits", "17")
    assert parsed.headings == ["Generated text", *(f"τ = {tau}, text {n}" for tau in (0.5, 2) for n in range(2))] + [
        f"beam 2, text {n}" for n in range(2)
    ]
    assert {"prompt: In the evening <the> cat", f"model: {records[0]['model']}"} <= set(parsed.facts)
    assert "samplers: temperature 0.5 → top_p 0.9" in parsed.facts
    assert parsed.plain == [record["text"] for record in records]
    for tokens, record in zip(parsed.texts, records, strict=True):
        for token, expected in zip(tokens, record["logprobs"], strict=True):
            assert float(token.detail("chosen with probability")) == expected["chosen_prob"]
            assert token.heat == f"h{heat(expected['chosen_prob'])}"
            prob, _, rank = token.detail("under the model at τ = 1:").partition(", rank ")
            assert float(prob) == math.exp(expected["logprob"])
            top = expected["top_logprobs"]
            assert [(float(prob), name) for _, prob, name in token.alternatives] == [
                (math.exp(other["logprob"]), repr(other["token"])) for other in top
            ]
            above = sum(other["logprob"] > expected["logprob"] for other in top)
            assert int(rank) == above + 1 if above < len(top) else int(rank) > len(top)


def test_a_character_of_several_tokens_is_whole(tmp_path: Path) -> None:
    """The tokens of an n-gram model of characters may be parts of a character, and control characters."""
    book = tmp_path / "book.txt"
    book.write_text("é\x1b日<b>\n" * 50, encoding="utf-8")
    arguments = ["generate", "é", "--ngram", str(book), "--by", "char", "--tau", "1", "--seed", "3"]
    [record] = json.loads(here(*arguments, "-f", "json").stdout)
    parsed = page(*arguments)
    assert parsed.plain == [visible_lines(record["text"])]
    assert "<b>" in parsed.plain[0]
    assert len(parsed.texts[0]) == record["tokens"]
    # The sign of a line break is no part of the text.
    assert parsed.source.count("<i></i>\n") == record["text"].count("\n") > 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["compute", "2", "1"], "html shows the text of an API response, and the input is not one"),
        (["compute", "-i", RESPONSE, "--tau", "0.5,1"], "html shows a text at one temperature, and --tau has 2"),
        (["compute", "-i", RESPONSE, "--like", "all"], "pass --like with one engine"),
        (["compute", "-i", RESPONSE, "--theme", "dark"], "--theme has no effect on html"),
        (["compute", "-i", RESPONSE, "--rows", "2"], "--rows has no effect on html"),
        (["sweep", "2", "1"], "html is for the texts of generate and score, and of an API response in compute"),
        (["solve", "2", "1", "--entropy", "0.5"], "html is for the texts of generate"),
    ],
)
def test_what_a_page_cannot_show_is_an_error(arguments: list[str], problem: str, tmp_path: Path) -> None:
    file = tmp_path / "text.html"
    done = here(*arguments, "-o", str(file))
    assert done.returncode == 2
    assert problem in done.stderr
    assert not file.exists()


def luminance(color: Rgb) -> float:
    """Return the relative luminance of a color. Source: WCAG 2.2."""
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in (v / 255 for v in color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_colors_have_contrast_in_light_and_dark(scheme: Scheme) -> None:
    tints = [scheme.tint(color) for color in COLD_TO_HOT]
    assert min(contrast(scheme.ink, paper) for paper in (scheme.paper, *tints)) >= 7
    assert contrast(scheme.muted, scheme.paper) >= 4.5
    assert len(set(tints)) == len(COLD_TO_HOT)
    # The sign of a line break is paler.
    [share] = re.findall(r"\.text i::before .*opacity: ([.0-9]+)", style_sheet(COLD_TO_HOT))
    for tint in tints:
        red, green, blue = (
            round(low + float(share) * (high - low)) for low, high in zip(tint, scheme.ink, strict=True)
        )
        assert contrast((red, green, blue), tint) >= 4.5


def test_size_of_a_token_is_small() -> None:
    """Without its texts, a token needs at most 64 bytes, and a page 5000."""
    token = PageToken(" cat", "' cat'", 3, ("probability 0.0412",), "", ())
    sizes = [
        len("".join(page_html(TextPage("", {}, [PageText("", (), [token] * count)], COLD_TO_HOT, {}))).encode())
        for count in (0, 1000)
    ]
    assert (sizes[1] - sizes[0]) / 1000 <= 64 + len(" cat' cat'probability 0.0412")
    assert sizes[0] <= 5000
