"""Delimited text: its layouts and its errors."""

import io
from typing import Any

import numpy as np
import pytest

from cases import each_case
from tool import here
from tsoft.core.block import Block
from tsoft.errors import InputError
from tsoft.input import delimited, table_reader
from tsoft.input.read_options import ReadOptions, TargetSource

TARGET = "; tsoft reads the column 'target' as the true classes; pass --target-column or --columns if it is not"
UTF16 = "if it is UTF-16, convert it with iconv -f UTF-16 -t UTF-8"


def read(text: str | bytes, **options: Any) -> list[Block]:
    data = text.encode() if isinstance(text, str) else text
    return list(delimited.read(io.BufferedReader(io.BytesIO(data)), ReadOptions("f", **options)))


def message(text: str | bytes, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(text, **options)
    return str(caught.value)


@pytest.mark.parametrize("end", ["", "\n", "\n1 0.5 2 4\n"])
def test_an_engine_column_of_numbers_is_a_class(end: str) -> None:
    blocks = read(f"row tau engine cat\n0 0.5 1 2{end}")
    assert blocks[0].labels == ("engine", "cat")
    assert blocks[0].logits[0].tolist() == [1, 2]


@pytest.mark.parametrize("end", ["", "\n"])
def test_an_engine_column_of_names_is_a_key(end: str) -> None:
    [block] = read(f"row\ttau\tengine\tcat\tdog\n0\t0.5\tvllm\t2\t1{end}")
    assert block.labels == ("cat", "dog")


@each_case(
    ("text", "expected"),
    [
        (b"1 2\n1 x\n\xff\n", "f:2: field 2: 'x' is not a number"),
        (b"1 2\n\xff\n1 x\n", "f:2: not UTF-8 text (byte 0xff); convert it to UTF-8"),
        (
            b"1\0 \x002\0\n",
            f"f:1: not UTF-8 text (a NUL byte); {UTF16}",
        ),
        (b"1\nx\n\xff\n", "f:2: field 1: 'x' is not a number"),
        (b"row,tau\n\xff\n", "f:2: not UTF-8 text (byte 0xff); convert it to UTF-8"),
        (b"1 2\n\n1 2\n", "f:2: blank line between two rows; remove it"),
        (b"2\n1\n\n3\n", "f:3: blank line between two classes; remove it, or write one row per line"),
        (b"a 2\nb 1\n\n\na 3\n", "f:3: blank line between two classes; remove it, or write one row per line"),
        (
            b"label,logit\na,2\nb,1\n\na,3\nb,4\n",
            "f:4: blank line between two classes; remove it, or add a column row to separate the distributions",
        ),
        (
            b"row,tau,label,logit\n0,1,a,2\n1,1,a,3\n0,1,b,1\n",
            "f:4: a line of row 0, tau 1 after those of another distribution; keep the lines of a distribution"
            " together, for example by sorting them by row and tau",
        ),
        *[
            (
                text + b"\n",
                "f:1: commas and spaces in one line; separate fields with only one of them, and write 1.5 instead of"
                " 1,5",
            )
            for text in (b"2,5 1,5", b"2,5e-3 1", b"1,234.5 2")
        ],
        (
            b"row,a,b\n0,1,x\n",
            "f:2: field 3: 'x' is not a number; list the logits with --columns 'a'",
        ),
        *[
            (
                f'logits,target\n"{numbers}",0\n'.encode(),
                f"f:2: field 1: '{numbers}' is a list; save lists as Parquet or JSON Lines, in pandas with"
                " df.to_json(FILE, orient='records', lines=True)",
            )
            for numbers in ("[2.5, -1]", "[2.5 -1. ]")
        ],
        *[
            (
                f'prompt,n,numbers\nq,x,"{value}"\n'.encode(),
                f"f:2: field 3: {value!r} is {kind}; save {kind.split()[1]}s as Parquet or JSON Lines, in pandas with"
                " df.to_json(FILE, orient='records', lines=True)",
            )
            for value, kind in (("[{7: 2.5}]", "a list"), ("{7: 2.5}", "an object"), ("Row(token=2)", "an object"))
        ],
        (b"row,a,b\n0,1\n", "f:2: expected 3 fields, as in the header, got 2"),
        (
            b"index,label,logit\n0,a,1\n0,b,2\n",
            "f:3: field 1: the index 0 repeats; add a column row to separate the vectors",
        ),
        (b"index,label,logit\n-1,a,1\n", "f:2: field 1: expected a whole number of at least 0, got '-1'"),
        (b"label,logit\na,1\nb,y\n", "f:3: field 2: 'y' is not a number"),
    ],
)
def test_the_first_error_is_reported_with_its_line_and_field(text: bytes, expected: str) -> None:
    assert message(text) == expected


BLANKS = "commas and spaces in one line; separate fields with only one of them, and write 1.5 instead of 1,5"
DECIMAL = "'%s' may be a number with a decimal comma; write 1.5 instead of 1,5, or the field in quotes"
QUOTE = "has no closing quote in this line; join the lines of the field, or write a quote as two"
COMMENT = "starts a comment; if it is a field, write it in quotes"


@each_case(
    ("text", "expected"),
    [
        ("cat 1,5\ndog 2,5\n", f"f:1: {BLANKS}"),
        ("cat: 1,5\ndog: 2,5\n", f"f:1: {BLANKS}"),
        ("label logit\ncat 1,5\ndog 2,5\n", f"f:2: {BLANKS}"),
        ("id score\na 1,5\nb 2,5\n", f"f:2: {BLANKS}"),
        ("label,logit\na,2\nowl;1,5\n", f"f:3: {DECIMAL % '1,5'}"),
        ("label,logit\na,2\nowl\t-1,25\n", f"f:3: {DECIMAL % '-1,25'}"),
        ('cat,dog,text\n2,1,"a\n3,4,b"\n', f"f:2: field 3: '\"a' {QUOTE}"),
        ("cat,dog,tag\n2,1,#a\n", f"f:2: '#a' {COMMENT}"),
        ("cat;dog;#tag\n2;1;0\n", f"f:1: '#tag' {COMMENT}"),
        ("row,label,logit\n0,#,2\n", f"f:2: '#' {COMMENT}"),
        ("2\t1\t#a\n", f"f:1: '#a' {COMMENT}"),
        ("cat,dog\n2,1\n#N/A,3\n", "f:3: field 1: '#N/A' is not a number; write -inf to mask a class"),
        ("logit,label\n2,cat\n#DIV/0!,dog\n", "f:3: field 1: '#DIV/0!' is not a number; write -inf to mask a class"),
        ("2 1 #null!\n", "f:1: field 3: '#null!' is not a number; write -inf to mask a class"),
        *(
            (f"cat,dog\n2,{text}\n", f"f:2: field 2: {text!r} is not a number; write -inf to mask a class")
            for text in ("-\N{INFINITY}", ".", "--", "missing", "\\N", "-1.#INF")
        ),
        ("2\n#N/A\n1\n", "f:2: field 1: '#N/A' is not a number; write -inf to mask a class"),
        ("#N/A\n2\n", "f:1: field 1: '#N/A' is not a number; write -inf to mask a class"),
    ],
)
def test_parts_of_a_line_that_would_be_misread_are_errors(text: str, expected: str) -> None:
    assert message(text) == expected


@each_case(
    ("text", "labels"),
    [
        ("label,logit\nClass #1,1\nClass # 2,2\n", ("Class #1", "Class # 2")),
        ("logit,label\n1,5 #1\n2,a b #c\n", ("5", "a b #c")),
        ("a,b # names\n1,2\n", ("a", "b")),
        ("label,logit # of a model, in order\na,1\nb,2\n", ("a", "b")),
        ("Sample #,b #2\n1,2 # numbers\n", ("Sample #", "b #2")),
        ("Class 1,1\nClass 2,2\n", ("Class 1", "Class 2")),
        ('"a # b" 1 # one, two\nc 2\t#cold\n', ("a # b", "c")),
        ("a b # names, in order\n1 2\t#row\n", ("a", "b")),
        ("label 1\nid 2\n", ("label", "id")),
        ('label\tlogit\n"\t1\n"a\t2\n', ('"', '"a')),
    ],
)
def test_labels_may_have_hashes_commas_and_quotes(text: str, labels: tuple[str, ...]) -> None:
    [block] = read(text, delimiter="," if text.startswith("Class") else None)
    assert (block.labels, block.logits.tolist()) == (labels, [[1, 2]])


def test_commas_in_quotes_do_not_separate_the_fields() -> None:
    [block] = read('"a, b";"c"\n1;2\n', delimiter=",")
    assert (block.labels, block.logits.tolist()) == (("a, b", "c"), [[1, 2]])


def test_numbers_in_quotes_are_rows() -> None:
    assert [block.logits.tolist() for block in read('"2","1"\n"0","3"\n')] == [[[2, 1], [0, 3]]]


HEADER = "if this line is a header, pass --columns '*'"
EMPTY = "empty; write -inf to mask a class"


@each_case(
    ("text", "expected"),
    [
        ("2.5,1.5,NA\n0.2,1.5,0.7\n", "f:1: field 3: 'NA' is not a number; write -inf to mask a class"),
        ("2,NA,1\n", "f:1: field 2: 'NA' is not a number; write -inf to mask a class"),
        ("2,,1\n3,4,5\n", f"f:1: field 2: {EMPTY}"),
        (",1.5,2\n3,1,1\n", f"f:1: field 1: {EMPTY}"),
        ("2,-,1\n3,4,5\n", f"f:1: field 2: '-' is not a number; {HEADER}"),
        ("2,1.5.3,1\n3,4,5\n", f"f:1: field 2: '1.5.3' is not a number; {HEADER}"),
        ("1.5,2.5,x\n3,4,5\n", f"f:1: field 3: 'x' is not a number; {HEADER}"),
        ("2,2,x\n3,4,5\n", f"f:1: field 3: 'x' is not a number; {HEADER}"),
        ("2\t\t1\n4\t\t1\n", f"f:1: field 2: {EMPTY}"),
        ("2\t1\n4\t\t1\n", f"f:2: field 2: {EMPTY}"),
    ],
)
def test_a_first_row_that_lacks_a_number_is_no_header(text: str, expected: str) -> None:
    assert message(text, delimiter="\t" if "\t" in text else ",") == expected


@pytest.mark.parametrize("header", ["0,1,other", "2,b,c", "5,3,é"])
def test_a_header_of_names_and_whole_numbers_is_noted(header: str) -> None:
    notes: list[str] = []
    [block] = read(f"{header}\n3,4,5\n", delimiter=",", note=notes.append)
    assert block.labels == tuple(header.split(","))
    assert len(notes) == 1
    assert notes[0].startswith("f:1: tsoft reads this line as a header, since ")
    assert message(header, delimiter=",").endswith("is not a number; if this line is a header, add a row below it")


def test_the_option_columns_makes_any_first_line_a_header() -> None:
    done = here("compute", "--columns", "*", "-f", "csv", stdin="1.5,2.5,x\n0,0,0\n")
    assert done.stdout.splitlines()[0] == "row,tau,1.5,2.5,x"
    done = here("compute", "--columns", "*", stdin="1,2\n")
    assert done.stderr == "tsoft: error: stdin:1: the header has no rows below it\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("2.5,1\n-1.2,0\n", ["calibrate", "--target-column", "1"]),
        ("2.5 1\n-1.2 0\n", ["calibrate", "--target-column", "target"]),
        ("2.5,-1,0\n1.5,2,1\n", ["compute", "--id-column", "0"]),
        ("1;1;0\n1;2;1\n", ["compute", "--columns", "0"]),
        ("u1,2.5,0\nu2,1.5,1\n", ["compute", "--columns", "0"]),
    ],
)
def test_a_numeric_first_line_is_an_error_if_an_option_names_a_column(text: str, options: list[str]) -> None:
    done = here(*options, stdin=text)
    number = "1" if text.startswith("1") else "2.5"
    problem = f"no header, since this line has the number {number}, but an option names a column"
    expected = f"tsoft: error: stdin:1: {problem}; add a header above it, such as a,b,target\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


@pytest.mark.parametrize(
    ("text", "columns", "is_noted"),
    [
        ("3,1\n2,0\n", "1", True),
        ("u,3,1\n5,2,0\n", "3,1", True),
        ("id,3,1\nu,2,0\n", "3,1", False),
        ("id,0.5,1\nu,2,0\n", "1", False),
        ("0,1\n2,0\n", "1,0", False),
        ("0.5,1\n2,0\n", "0.5", False),
        ("0.5,1.5,b\n2,1,0\n", "*.5", False),
    ],
)
def test_a_header_of_numbers_is_noted_if_it_may_be_a_row(text: str, columns: str, is_noted: bool) -> None:
    done = here("compute", "--columns", columns, stdin=text)
    note = "tsoft reads this line as a header, since an option names a column; if it is a row, add a header above it"
    assert (done.returncode, note in done.stderr) == (0, is_noted)


def test_spaces_around_equals_are_not_part_of_the_label() -> None:
    for text in ("left = 1.2\nright =-inf\n", "left= 1.2 right = -inf\n", "left\t=\t1.2; right = -INF\n"):
        [block] = read(text)
        assert (block.labels, block.logits.tolist()) == (("left", "right"), [[1.2, -np.inf]])
    [block] = read("New York = 1\nParis=2\n")
    assert block.labels == ("New York", "Paris")
    for arguments in (["left = 1", "right= .5"], ["left = 1 right= .5"]):
        assert here("compute", *arguments, "-f", "csv").stdout.startswith("row,tau,left,right\n")
    assert here("compute", " =1", "the =1", "-f", "csv").stdout.startswith('row,tau," ","the "\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *(
            (
                f"{name} 0\n{lines}",
                "f:1: ambiguous: the line may be a header or a class; separate the fields with commas if it is a"
                f" header, or write {name}=0 if it is a class",
            )
            for name, lines in (("label", "cat 2.0\ndog 1.0\n"), ("id", "7 2.0\n8 1.0\n"), ("token", "0 cat 2.0\n"))
        ),
        (
            "  cat  1\n0  2.5  1.0\n1  0.5  -1.5\n",
            "f:2: expected a label and a number, as in the first line, got 3 numbers",
        ),
    ],
)
def test_tables_that_pandas_prints_are_no_vectors(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(text)
    assert str(error.value) == message


def test_a_vector_whose_other_labels_are_numbers_is_noted() -> None:
    notes: list[str] = []
    [block] = read("NA,1\n2,3\n", delimiter=",", note=notes.append)
    assert block.labels == ("NA", "2")
    assert notes == [
        "f:1: tsoft reads each line as a label and a number, since 'NA' is not a number; if the lines are rows,"
        " correct that field"
    ]


@pytest.mark.parametrize(
    ("text", "line", "delimiter"),
    [
        ("2\t\t1\n4\t\t1\n", 1, None),
        ("2\t1\n4\t5\n" * 300 + "4\t\t1\n", 601, None),
        ("2\t1\n2\t1\t\n", 2, None),
        ("2\t1\n2\t1\t\r\n", 2, "\t"),
        ("2\t1\n4\t5\n" * 300 + "\t4\t1\n", 601, "\t"),
    ],
)
def test_an_empty_field_between_tabs_is_ignored_with_a_note(text: str, line: int, delimiter: str | None) -> None:
    notes: list[str] = []
    blocks = read(text, note=notes.append, delimiter=delimiter)
    assert {block.logits.shape[1] for block in blocks} == {2}
    assert notes == [
        f"f:{line}: tsoft ignores an empty field between tabs; if a number is missing there, write it, or -inf to mask"
        " the class"
    ]


@pytest.mark.parametrize(("text", "logits"), [("2\n1\n\n\n", [[2, 1]]), ("2, 1  0.5,0.1\n", [[2, 1, 0.5, 0.1]])])
def test_blank_lines_at_the_end_and_mixed_separators_of_decimal_points_are_fine(
    text: str, logits: list[list[float]]
) -> None:
    assert [block.logits.tolist() for block in read(text)] == [logits]


def test_the_option_chooses_a_column_of_the_long_form_and_a_note_names_the_other() -> None:
    notes: list[str] = []
    [block] = read("label,logit,prob\na,3,0.8\nb,2,0.2\n", quantity="prob", note=notes.append)
    assert np.exp(block.logits[0]).tolist() == pytest.approx([0.8, 0.2])
    assert notes == ["f: tsoft reads the column 'prob' and ignores 'logit'"]


def test_a_line_without_quotes_is_split_and_unescaped() -> None:
    [block] = read("New York,a\\tb, c \n1,2,3\n")
    assert block.labels == ("New York", "a\tb", "c")
    [block] = read('row,"a, b",""""\n0,1,2\n')
    assert block.labels == ("a, b", '"')


def test_targets_are_found_by_label_or_index() -> None:
    blocks = read("cat,target,dog\n1,dog,2\n3,0,4\n", targets=TargetSource())
    assert [target for block in blocks if block.targets is not None for target in block.targets.tolist()] == [1, 0]
    wrong = "cat,target,dog\n1,%s,2\n"
    assert (
        message(wrong % "cow", targets=TargetSource())
        == f"f:2: field 2: unknown class 'cow'; choose from cat, dog{TARGET}"
    )
    assert (
        message(wrong % "Dog", targets=TargetSource())
        == f"f:2: field 2: unknown class 'Dog'; did you mean 'dog'? choose from cat, dog{TARGET}"
    )


def test_a_label_of_a_vector_may_have_several_words() -> None:
    [block] = read("New York 2\nParis 1\n")
    assert block.labels == ("New York", "Paris")


class LineByLine(io.BytesIO):
    """A stream from which each read returns one line."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return self.readline()


def test_lines_are_counted_over_all_batches() -> None:
    with pytest.raises(InputError, match=r"^f:4: field 2"):
        list(delimited.read(LineByLine(b"1 2\n3 4\n5 6\n7 x\n"), ReadOptions("f")))


@each_case("measures", table_reader.WRITTEN_MEASURES)
def test_the_measures_that_tsoft_writes_are_not_classes(measures: tuple[str, ...]) -> None:
    names = ["row", "tau", *measures, "cat", "dog"]
    line = [*"01", *["a" if name in ("top", "target") else "2" for name in measures], "0.25", "0.75"]
    [block] = read("\t".join(names) + "\n" + "\t".join(line) + "\n")
    assert block.labels == ("cat", "dog")


def test_labels_that_repeat_are_those_of_several_distributions() -> None:
    problem = "the label 'a' repeats; if these are the classes of several distributions, write each in one line"
    assert message("a 0.9\nb 0.8\na 0.7\n").startswith(f"f:3: {problem}")
    # Some tokens of a vocabulary have the same text.
    [block] = read("a 1\nb 2\nc 3\nd 4\na 5\n")
    assert block.labels == ("a", "b", "c", "d", "a")
