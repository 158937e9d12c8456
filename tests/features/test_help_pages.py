"""`tsoft help`: the manual, whose pages are in src/tsoft/docs."""

import functools
import re
from pathlib import Path

import pytest
from markdown_it.token import Token
from rich.markdown import Markdown

import tsoft
from cases import each_case
from tool import here, here_on_terminal, out, run
from tsoft.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = Path(tsoft.__file__).parent / "docs"
PAGES = sorted(path.stem for path in DOCS.glob("*.md"))
TOPICS = {"input", "output", "samplers", "engines", "api-responses", "library", "speed", "energies", "errors"}
# An option in the help of a command.
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")


def text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text("utf-8")


def anchors(page: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_each_command_and_topic_has_a_page() -> None:
    assert set(PAGES) >= (COMMANDS.keys() - {"help"}) | TOPICS


@each_case("page", PAGES)
def test_a_page_starts_with_its_purpose_and_an_example(page: str) -> None:
    heading, blank, summary, blank_too, *rest = text(page).split("\n")
    assert heading == f"# tsoft {page}" if page in COMMANDS else f"# {page}"
    assert blank == blank_too == ""
    assert re.fullmatch(r"[A-Z].*\.", summary)
    example = next(i for i, line in enumerate(rest) if re.match(r"```(?:console|python)$|    \S", line))
    assert example < 12


@each_case("page", PAGES)
def test_prose_fits_100_columns_and_links_lead_to_a_heading(page: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
    assert all(len(line) <= 100 or line.startswith(("|", "    ", "![")) for line in prose.splitlines())
    for link, anchor in LINK.findall(prose):
        assert (DOCS / link).exists(), link
        assert not anchor or anchor in anchors(link.removesuffix(".md") or page), anchor


def test_the_readme_is_short_and_its_links_exist() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) <= 200
    links = LINK.findall(readme)
    assert len(links) > 20
    assert all((ROOT / link).exists() for link, _ in links)
    assert all(f"docs/{page}.md" in readme for page in PAGES)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manual_has_every_option_of_a_command(command: str) -> None:
    manual = {option for page in PAGES for option in OPTION.findall(text(page))}
    assert set(OPTION.findall(out(command, "--help", COLUMNS="200"))) <= manual


@each_case("page", PAGES)
def test_a_pipe_prints_the_markdown_of_a_page(page: str) -> None:
    assert out("help", page) == text(page)


# Together, these pages have every construct of Markdown that a page has, so that the others need not be formatted.
FORMATTED = ("audit", "calibrate-llm", "figures", "input", "sweep")


@functools.cache
def tokens(page: str) -> list[Token]:
    """Return the tokens of a page, and those inside its lines of text."""
    return [part for token in Markdown(text(page)).parsed for part in [token, *(token.children or [])]]


@each_case("page", PAGES)
def test_a_page_has_only_markdown_that_a_formatted_page_has(page: str) -> None:
    def constructs(page: str) -> set[tuple[str, str, int]]:
        # What the code of a fence is, and how deeply a construct is nested.
        return {(token.type, token.info if token.type == "fence" else "", token.level) for token in tokens(page)}

    assert constructs(page) <= set().union(*map(constructs, FORMATTED))
    for token in tokens(page):
        assert token.type != "text" or not re.search(r"[*`_]{2}|`|\]\(", token.content)


@pytest.mark.parametrize(("page", "width"), [*((page, 40) for page in FORMATTED), ("compute", 80)])
def test_a_terminal_shows_a_formatted_page(page: str, width: int) -> None:
    shown = here_on_terminal("help", page, width=width, NO_COLOR="1")
    assert not re.search(r"```|^#+ |\]\(\w|\*\*\w+\*\*", re.sub(r"(?m)^ *(?:\d+ )?#\d.*", "", shown), re.MULTILINE)
    words = re.sub(r"\x1b\[[0-9;]*m|\W+", " ", shown)
    # The page shows every line of code, and the summary.
    for block in re.findall(r"^```\w+\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            assert re.sub(r"\W+", " ", line).strip() in words
    assert re.sub(r"\W+", " ", text(page).split("\n")[2]).strip() in re.sub(r"\s+", " ", words)


def test_the_contents_list_every_page_with_its_summary() -> None:
    contents = out("help")
    for page in PAGES:
        assert re.search(rf"^{page} +{re.escape(text(page).split(chr(10))[2])}$", contents, re.MULTILINE)
    assert max(map(len, contents.splitlines())) <= 80
    assert max(map(len, here_on_terminal("help", NO_COLOR="1").splitlines())) <= 80


@each_case("word", ["figure", "CSV", "temperature", "logprobs", "calibrate", "API"])
def test_common_words_lead_to_a_page(word: str) -> None:
    assert word.lower() in out("help").lower()


def test_the_page_of_help_is_the_contents() -> None:
    assert out("help", "help") == out("help")


def test_a_mistyped_topic_names_the_nearest() -> None:
    done = here("help", "samplrs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'samplers'?" in done.stderr


def test_a_word_that_is_not_a_topic_names_the_pages_with_it() -> None:
    done = here("help", "bootstrap")
    assert done.returncode == 2
    assert "calibrate" in done.stderr
    assert "tsoft help" in done.stderr
    # This word resembles 'engines', but it occurs in the pages.
    done = here("help", "penalties")
    assert re.search("it occurs in .*samplers", done.stderr)
    # These letters occur only inside other words.
    assert "occurs" not in here("help", "rl").stderr
    assert "did you mean 'samplers'?" in here("help", "sampler").stderr
    # No page has this word.
    assert here("help", "xyzzy").returncode == 2


@pytest.mark.parametrize("topic", [("api", "responses"), ("API-Responses",), ("api-responses.md",)])
def test_a_topic_may_be_typed_in_several_ways(topic: tuple[str, ...]) -> None:
    assert out("help", *topic) == text("api-responses")


def test_a_closed_pipe_is_not_an_error() -> None:
    import subprocess

    from tool import TSOFT, environment

    command = f"{TSOFT} help samplers | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment(), timeout=60)
    assert (done.stdout.decode(), done.stderr) == ("# samplers\n", b"")


def test_help_imports_no_numpy() -> None:
    done = run("help", "compute", PYTHONPROFILEIMPORTTIME="1")
    assert " numpy" not in done.stderr
