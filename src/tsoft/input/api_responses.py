"""Reading the responses of LLM servers with log-probabilities: one row per generated token.

tsoft does not ask which product wrote a document. It searches the document for lists of tokens, whose shapes
`token_lists` knows, and joins the pieces of a stream (`response_texts`).
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO

from tsoft.core.block import Block
from tsoft.errors import InputError, UsageError, shortened
from tsoft.input.api_tokens import DrawnToken
from tsoft.input.eval_samples import SampleReader, is_eval_sample
from tsoft.input.inspect_logs import ZIP, samples
from tsoft.input.json_values import Location, Object, described, is_index, json_path
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions
from tsoft.input.response_copies import Copies
from tsoft.input.response_kinds import (
    api_without_logprobs,
    error_message,
    event_in,
    failure,
    has_null_response,
    is_batched,
    is_generated,
    is_message,
    logprobs_request,
    mark_in,
    numbers_problem,
    probabilities_problem,
    prompt_numbers,
    removed_text,
    request_problem,
    text_problem,
    with_parsed_texts,
    without_numbers,
)
from tsoft.input.response_lists import Answer, FoundList, Search
from tsoft.input.response_pieces import pieces_in, with_ids_of_texts
from tsoft.input.response_streams import Stream, streams_in
from tsoft.input.response_texts import Text, Texts, has_mark, has_message, is_finished, is_piece
from tsoft.input.source import with_head
from tsoft.input.token_blocks import FOREIGN, listed_tokens, token_block
from tsoft.input.token_groups import alternatives_in
from tsoft.input.token_lists import is_token_list
from tsoft.input.token_shapes import field, may_be_alternatives, other_text, with_plain_names

_FORMATS = "tsoft help api-responses lists the formats"
# Events of OpenAI's Responses API with tokens: a piece of a text, the text, and the whole response.
_WHOLE_EVENTS = ("response.completed", "response.incomplete")
_FIRST_EVENT = "response.created"
_EVENTS = ("response.output_text.delta", "response.output_text.done", *_WHOLE_EVENTS)
# More tokens in lines of their own are a text.
_MOST_LINES = 100
# Lists that repeat all tokens so far in each piece of a stream: SGLang, and the last piece of llama.cpp before 2025.
_CUMULATIVE = ("output_token_logprobs", "completion_probabilities")


def blocks(value: object, options: ReadOptions, where: str, first_row: int) -> Iterator[Block]:
    """Yield one block of one row per token of a response, or of a list of responses.

    `where` is the value's location in messages. Raise InputError if a response is an error, has no log-probabilities,
    or has numbers out of range.
    """
    reader = ResponseReader(options, first_row)
    yield from reader.blocks(Location(where), value)
    reader.finish(Location(where))


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of a source: a response, an array or lines of responses, a saved stream, or a log of Inspect.
    Each token is read as soon as it arrives."""
    reader = ResponseReader(options, 0)
    head, stream = with_head(stream)
    if head.startswith(ZIP):
        for name, sample in samples(stream, options):
            yield from reader.sample(Location(options.source, (name,)), sample)
        reader.finish(Location(options.source))
        return
    for piece in with_ids_of_texts(pieces_in(stream, options), options.note):
        if piece.is_end:
            reader.end_stream()
        else:
            yield from reader.blocks(piece.location, piece.value, streamed=piece.is_streamed)
    reader.finish(Location(options.source))


class ResponseReader:
    """Reads the documents of a source in sequence: responses, parts of them, and pieces of streams. It counts the rows
    and the texts, and keeps the request that makes the server return log-probabilities."""

    def __init__(self, options: ReadOptions, first_row: int):
        if options.labels:
            raise UsageError("--labels has no effect on an API response, whose classes are its tokens; remove --labels")
        if options.quantity not in (None, "logprob"):
            option = QUANTITIES[options.quantity].option or "the quantity"
            raise UsageError(f"{option} has no effect on an API response, which names its numbers; remove {option}")
        self.options = options
        self.first_row = self.row = first_row
        self._has_choices = False
        self._problem: InputError | None = None
        self._texts = Texts(self._end)
        self._copies = Copies(lambda kind, note: self._note(kind, Location(options.source), note))
        self._samples = SampleReader(options)
        self._noted: set[str] = set()
        self._skipped: list[str] = []
        # The number of a text and its last token, and how many rows have the alternatives of another token.
        self._last_token: tuple[int, DrawnToken | None] = 0, None
        self._foreign_rows = 0
        self._has_lone_tokens = False
        # The first tokens of each unfinished text whose tokens are in lines of their own.
        self._lines: dict[int, list[object]] = {}
        # The names of fields with tokens of texts, and with lists that may be such or alternatives.
        self._text_names: set[str] = set()
        self._guessed_names: set[str] = set()
        # The kinds of events of the Responses API with tokens of the current response, the first of which is read, and
        # how many tokens they had.
        self._events = Counter[str]()
        # The items that are being transcribed, and how many tokens their pieces had.
        self._transcribed = Counter[str]()

    def blocks(self, location: Location, value: object, *, streamed: bool = False) -> Iterator[Block]:
        """Yield the blocks of a document, or of an array of documents."""
        arrays = [*_arrays(value)]
        for documents in arrays:
            for document in documents:
                try:
                    yield from self._document(location, document, streamed)
                except InputError:
                    if (problem := text_problem(document)) is not None:
                        raise location.error(problem) from None
                    raise
            if len(documents) > 1:
                self._texts.finish_unnamed()
        if len(arrays) > 1:
            self._texts.finish_unnamed()

    def sample(self, location: Location, sample: object) -> Iterator[Block]:
        """Yield the blocks of the output of an Inspect sample. A sample without log-probabilities is noted."""
        before = self.row
        fields = sample if isinstance(sample, dict) else {}
        targets = self.options.targets
        named = {} if targets is None else {targets.answer_field: fields.get(targets.answer_field)}
        yield from self._lists(location, Search({**named, "output": fields.get("output")}, location), streamed=False)
        if self.row == before:
            problem = "the sample has no log-probabilities"
            self._problem = location.error(f"{problem}; run inspect eval with --logprobs --top-logprobs 20")
            self.options.note(location.message(f"{problem}; tsoft skips it"))

    def end_stream(self) -> None:
        """Finish all texts, since a stream has ended."""
        self._texts.finish_all()

    def finish(self, location: Location) -> None:
        """Finish all texts. Raise InputError if there was no token."""
        self._note_identities(location)
        self._finish_events(location)
        if self.row == self.first_row:
            raise self._problem or location.error("no response: the input is empty")
        self._note_skipped()
        if self._foreign_rows > 1:
            problem = f"{self._foreign_rows} rows have alternatives that contradict the drawn token"
            self._note("foreign rows", location, f"{problem}; tsoft uses only its number")

    def _note_identities(self, location: Location) -> None:
        """Print a note if the unfinished texts are those of a guess."""
        if (name := self._texts.differing_field) is not None:
            problem = f"each piece has another {name}, so tsoft reads each as an answer"
            quoted = name if name.isidentifier() else json.dumps(name)
            fix = f"remove these fields: jq -c 'del(.. | .{quoted}?)'"
            self._note("ids", location, f"{problem}; if they are one answer, {fix}")
        elif self._texts.has_guessed:
            problem = "tsoft reads responses without an id and a finish reason as the pieces of one answer"
            self._note("pieces", location, f'{problem}; if they are several answers, give each an id ("id": "1", …)')

    def _document(
        self, location: Location, document: object, streamed: bool, outer: tuple[Object, ...] = ()
    ) -> Iterator[Block]:
        """Yield the blocks of a document. `outer` are the objects that contain it."""
        if isinstance(document, dict) and is_batched(document):
            yield from self._batched(location.at(f"request {document['custom_id']!r}"), document)
        elif isinstance(document, dict) and (message := failure(document)) is not None:
            name = document.get("key")
            self._skip_failed(location.at(f"request {name!r}") if isinstance(name, str) else location, message)
        elif isinstance(document, dict) and has_null_response(document):
            self._skip(location, "the request has no response (null)")
        elif isinstance(document, dict) and is_eval_sample(document):
            yield self._samples.block(document, location, self.row)
            self.row += 1
        elif isinstance(document, dict):
            message = error_message(document)
            if message is not None and (streamed or self._texts.are_unfinished):
                raise location.error(f"the server returned an error: {message[:500]}")
            if message is not None and not Search(document, location).lists:
                # A log may have a field with this name next to an answer.
                self._skip_failed(location, message)
                return
            event = event_in(document)
            if event is None or _has_tokens_beside(document, event):
                yield from self._response(location, document, streamed, outer)
            elif event["type"].startswith("response."):
                yield from self._event(location, event)
            else:
                yield from self._transcription(location, event)
        elif isinstance(document, list):
            yield from self._lists(location, Search(document, location), streamed=False)
        else:
            raise location.error(f"expected a server's response (an object), got {described(document)}")

    def _batched(self, location: Location, document: Object) -> Iterator[Block]:
        """Yield the blocks of a line of a batch's output. A failed request is noted."""
        response = document.get("response")
        body = response.get("body", response) if isinstance(response, dict) else {}
        body = with_parsed_texts(body) if isinstance(body, str) else body
        message = error_message(document) or (error_message(body) if isinstance(body, dict) else str(body))
        if message is not None:
            self._skip_failed(location, message)
        elif response is None:
            self._skip(location, "the request has no response (null)")
        else:
            yield from self._document(location, body, False)

    def _skip_failed(self, location: Location, message: str) -> None:
        """Print a note on a request that failed with this message."""
        self._skip(location, f"the server returned an error: {message[:500]}")

    def _skip(self, location: Location, problem: str) -> None:
        """Print a note on a request without tokens, as soon as there are tokens of another one. Without them, the
        problem is an error."""
        self._problem = location.error(problem)
        self._skipped.append(location.message(f"{problem}; tsoft skips it"))
        self._note_skipped()

    def _note_skipped(self) -> None:
        if self.row > self.first_row:
            for message in self._skipped:
                self.options.note(message)
            self._skipped.clear()

    def _event(self, location: Location, event: Object) -> Iterator[Block]:
        """Yield the blocks of an event of the Responses API. Events of another kind repeat the tokens."""
        inner = event.get("response")
        self._problem = self._problem or _without_logprobs(location, event)
        if event["type"] == "response.failed" and isinstance(inner, dict):
            problem = error_message(inner) or "the response failed"
            raise location.error(f"the server returned an error: {problem}")
        kind = event["type"]
        if kind in _EVENTS:
            is_whole = kind in _WHOLE_EVENTS
            document = event if not is_whole else inner if isinstance(inner, dict) else {}
            before, is_read = self.row, kind == next(iter(self._events), kind)
            if is_read and is_whole:
                yield from self._response(location, document, streamed=True)
            elif is_read:
                yield from self._lists(location, Search(document, location), streamed=True)
            count = self.row - before if is_read else _token_count(Search(document, location))
            if count:
                self._events[kind] += count
        if kind in (*_WHOLE_EVENTS, _FIRST_EVENT):
            self._finish_events(location)

    def _finish_events(self, location: Location) -> None:
        """Finish all texts, and the events of a response."""
        self._texts.finish_all()
        self._note_longest(location, [*self._events.values()])
        self._events.clear()

    def _transcription(self, location: Location, event: Object) -> Iterator[Block]:
        """Yield the blocks of an event of a transcription. The last event of an item repeats its tokens."""
        self._problem = self._problem or _without_logprobs(location, event)
        item = str((event.get("item_id"), event.get("content_index")))
        is_piece = event["type"].endswith(".delta")
        # The texts of different items have different ids.
        search = Search(event | {"id": item}, location)
        if is_piece or item not in self._transcribed:
            yield from self._lists(location, search, streamed=True)
        count = _token_count(search)
        if is_piece and count:
            self._transcribed[item] += count
        elif not is_piece:
            self._note_longest(location, [self._transcribed.pop(item, count), count])
            self._texts.finish(search.outer)

    def _note_longest(self, location: Location, counts: list[int]) -> None:
        """Print a note if the events that were read have fewer tokens than others that should repeat them. `counts` are
        the numbers of tokens of each kind of event, the first of which was read."""
        if counts and max(counts) > counts[0]:
            problem = f"the last event has {max(counts)} tokens, but the pieces before it have only {counts[0]}"
            self._note("longest", location, f"{problem}; tsoft reads the pieces; remove them to read the last event")

    def _response(
        self, location: Location, response: Object, streamed: bool, outer: tuple[Object, ...] = ()
    ) -> Iterator[Block]:
        """Yield the blocks of a response. Raise InputError if an answer is whole and has no log-probabilities."""
        search = Search(response, location, outer)
        if not search.answered and (parsed := with_parsed_texts(response)) is not response:
            response, search = parsed, Search(parsed, location, outer)
        if not search.lists and (renamed := with_plain_names(response)) is not response:
            response, search = renamed, Search(renamed, location, outer)
        if streams := streams_in(response, search.lists):
            yield from self._streams(location, streams, outer)
            search.lists = [found for found in search.lists if not any(stream.contains(found) for stream in streams)]
            yield from self._lists(location, search, streamed)
            return
        answers = search.answers or [search.outer] * (not search.answered)
        # llama.cpp before 2025 has the list of a chat's tokens outside its choices.
        silent = [answer for answer in answers if search.answered.isdisjoint(answer.outer_paths)]
        pieces = [answer for answer in silent if streamed or is_piece(answer) or self._texts.continues(answer)]
        yield from self._lists(location, search, streamed)
        if not streamed and search.lists and not any(found.is_prompt for found in search.lists):
            self._note_prompt(location, response)
        if not streamed:
            self._skip_unanswered(location, search.unanswered(response))
        self._problem = self._problem or _without_logprobs(location, response)
        for answer in silent:
            if answer.path not in search.empty:
                self._check_silent(answer, location, response, is_piece=answer in pieces, is_alone=not search.answered)
            self._texts.skip(answer)
            if is_finished(answer):
                self._texts.finish(answer)

    def _note_prompt(self, location: Location, response: Object) -> None:
        """Print a note on log-probabilities of the prompt that are not read as a list of tokens."""
        if (path := prompt_numbers(response)) is not None:
            self._note("prompt", location, f"tsoft skips the tokens of the prompt ({path})")

    def _streams(self, location: Location, streams: list[Stream], outer: tuple[Object, ...]) -> Iterator[Block]:
        """Yield the blocks of the streams in a document, each of which ends with its array."""
        for stream in streams:
            for i, piece in stream.pieces:
                place = location.at(json_path((*stream.path, i)))
                yield from self._document(place, piece, True, (*stream.objects, *outer))
            self._note_identities(location)
            self._texts.finish_all()

    def _skip_unanswered(self, location: Location, unanswered: Mapping[str, object]) -> None:
        """Print a note on each field that is a failed request next to answers."""
        targets = self.options.targets
        for name, value in unanswered.items():
            message = error_message(value) if isinstance(value, dict) else None
            if message is not None:
                self._skip_failed(location.at(repr(shortened(name))), message)
            elif targets is None or name != targets.answer_field:
                self._skip(location.at(repr(shortened(name))), f"no log-probabilities ({described(value)})")

    def _check_silent(
        self, answer: Answer, location: Location, response: Object, *, is_piece: bool, is_alone: bool
    ) -> None:
        """Raise InputError for an answer without tokens if it is whole, or if it has numbers in an unknown format.

        is_alone: whether no answer of the response has tokens, so that all numbers in it may be those of this one.
        """
        problem = numbers_problem(response) if is_alone else numbers_problem(answer.objects[0], json_path(answer.path))
        if problem is not None:
            raise location.error(f"{problem}; {_FORMATS}")
        if not is_piece:
            place = location.at(f"choice {answer.number}") if answer.is_several else location
            self._skip_silent(place, answer, response)

    def _skip_silent(self, location: Location, answer: Answer, response: Object) -> None:
        """Print a note on a response without choices, on a whole answer whose text was removed, on a request, and on a
        message of a chat that a model may have written. Raise InputError for any other answer without tokens."""
        if is_message(response):
            if is_generated(response) and "message" not in self._noted:
                self._noted.add("message")
                skipped = "the message has no log-probabilities; tsoft skips it, and others without them"
                self._skipped.append(location.message(skipped))
                self._note_skipped()
        elif problem := removed_text(*answer.objects[:2]) or ("" if answer.path else request_problem(response)):
            self._skip(location, problem)
        elif answer.objects[0].get("choices") == [] and isinstance(answer.objects[0].get("usage"), dict):
            # The last piece of a stream, which may have another id: stream_options.include_usage.
            self._skip(location, "the response has no choices")
        elif (problem := text_problem(response)) is not None:
            raise location.error(problem)
        elif (api := api_without_logprobs(response)) is not None:
            self._skip(location, f"{api} does not return log-probabilities")
            self._problem = _without_logprobs(location, response)
        elif _request(response, answer) is None and (problem := without_numbers(response)) is not None:
            self._skip(location, problem)
            self._problem = _without_logprobs(location, response)
        else:
            raise _without_logprobs(location, response, answer)

    def _lists(self, location: Location, search: Search, streamed: bool) -> Iterator[Block]:
        """Yield the blocks of the token lists in a document. Those of the prompt count only if there are no others."""
        prompts = [found for found in search.lists if found.is_prompt]
        generated = [found for found in search.lists if not found.is_prompt]
        if generated and prompts:
            self._note("prompt", location, f"tsoft skips the tokens of the prompt ({prompts[0].name})")
        generated = self._without_side_fields(generated, location)
        if search.lists and search.requested:
            names = " and ".join(search.requested)
            self._note("requested", location, f"tsoft skips the log-probabilities of requested tokens ({names})")
        lists = self._copies.without(self._alike(generated or prompts, location, streamed), streamed=streamed)
        texts = [self._text(found, location) for found in lists]
        self._note_order(location, generated, texts)
        if search.guess:
            self._note("lists", location, search.guess)
        if search.copies:
            first, second, *_ = search.copies
            problem = f"tsoft reads fields with equal tokens, such as {first!r} and {second!r}, as one answer"
            self._note("copies", location, f"{problem}; write several answers as an array")
        begun = {text.number for text in texts if text.fingerprints}
        for found, text in zip(lists, texts, strict=True):
            self._has_choices |= found.answer.is_several
            if guess := found.list.guess():
                self._note(guess, location, guess)
            if found.is_alone and not streamed and len(lines := self._lines.setdefault(text.number, [])) < _MOST_LINES:
                lines.append(found.list.value)
            text.spelling.is_part |= streamed or is_piece(found.answer)
            text.is_known |= streamed or found.is_alone or has_mark(found.answer)
            text.spelling.is_comparable &= not guess and not found.is_prompt
            labels: list[str] = []
            tokens = _without_first(found) if found.is_prompt else found.list.tokens()
            if text.number in begun:
                begun.discard(text.number)
                tokens = iter(self._new_tokens(found, [*tokens], text, location))
            for drawn in tokens:
                text.add(drawn)
                labels.append(drawn.token.label)
                yield self._block(drawn, found.answer, text.number)
            text.spelling.add(found, labels)
            self._copies.set_last(text)
        for found in generated or prompts:
            if is_finished(found.answer) or not (streamed or self._is_piece(found, location)):
                self._texts.finish(found.answer)

    def _alike(self, lists: list[FoundList], location: Location, streamed: bool) -> list[FoundList]:
        """Return the lists, and of those that may be alternatives or a text the text if the list is in a piece of a
        stream, or if another list under the same name is certainly a text."""
        for found in lists:
            value = found.list.value
            if not found.list.is_undrawn and isinstance(value, list) and len(value) > 1:
                self._text_names.add(found.name)
        if self._guessed_names & self._text_names:
            problem = "the list has the tokens of a text, but tsoft has read others under this name as alternatives"
            self._note("lists", location, f'{problem}; write each text as {{"content": […]}}')
        alike = []
        for found in lists:
            text = found.list.as_text
            if text and (streamed or is_piece(found.answer) or found.name in self._text_names):
                alike.append(replace(found, list=text))
            else:
                self._guessed_names |= {found.name} if text else set()
                alike.append(found)
        return alike

    def _new_tokens(
        self, found: FoundList, tokens: list[DrawnToken], text: Text, location: Location
    ) -> list[DrawnToken]:
        """Return the tokens of a piece without those of its text so far, which some servers repeat in each piece."""
        # A message is not a piece.
        may_end = found.name in _CUMULATIVE or has_message(found.answer)
        repeated = text.repeated(tokens, found.answer, may_end=may_end)
        if repeated and found.name not in _CUMULATIVE:
            self._note("repeated tokens", location, "the pieces repeat the tokens before them; tsoft reads each once")
        return tokens[repeated:]

    def _is_piece(self, found: FoundList, location: Location) -> bool:
        """Return whether a list is a piece of a text, as an object with one token is that has no other text."""
        if is_piece(found.answer) or not found.is_alone:
            return is_piece(found.answer)
        name = next((name for record in found.answer.objects if (name := other_text(record)) is not None), None)
        if name is not None and not found.answer.path and self._has_lone_tokens:
            problem = f"tsoft reads each token with another text, such as {name!r}, as an answer"
            self._note("alone", location, f"{problem}; leave these texts out if the tokens are those of one answer")
        self._has_lone_tokens = True
        return name is None

    def _without_side_fields(self, generated: list[FoundList], location: Location) -> list[FoundList]:
        """Return the lists without those in side fields of answers that have others."""
        answered = {found.answer.path for found in generated if found.side_field is None}
        kept = []
        for found in generated:
            if found.side_field and (found.answer.path in answered or self._texts.has_begun(found.answer)):
                problem = f"tsoft skips the tokens in {found.side_field}, since the answer has a list of tokens"
                self._note(found.side_field, location, problem)
            else:
                kept.append(found)
        return kept

    def _text(self, found: FoundList, location: Location) -> Text:
        """Return the text of a list's tokens."""
        place = location.at(f"choice {found.answer.number}") if found.answer.is_several else location
        return self._texts.text_of(found.answer, place, is_prompt=found.is_prompt)

    def _note_order(self, location: Location, generated: list[FoundList], texts: list[Text]) -> None:
        """Print a note if an answer has several lists of tokens, such as those of its reasoning, also in different
        pieces. `texts` are those of the lists."""
        for found, text in zip(generated, texts, strict=False):
            inner = found.path[len(found.answer.path) :]
            text.names[json_path(key for key in inner if isinstance(key, str))] = found.name
        names = next((text.names for text in texts if len(text.names) > 1), {})
        if names:
            # The innermost names may be equal, such as those in logprobs and in reasoning_logprobs.
            shown = names.values() if len({*names.values()}) > 1 else names
            problem = f"tsoft reads the tokens of {' and '.join(shown)} as one text, in this order"
            self._note("order", location, problem)

    def _end(self, text: Text) -> None:
        """Record that a text has ended. Print a note if its tokens contradict it."""
        self._copies.end(text)
        lines = self._lines.pop(text.number, [])
        if len(lines) > 1 and (may_be_alternatives(lines) or alternatives_in(lines)):
            guess = "the lines may have the alternatives of one token; tsoft reads them as successive tokens"
            self._note("lines", text.spelling.location, f'{guess}; write alternatives as {{"top_logprobs": […]}}')
        if problem := text.spelling.problem():
            self._note("spelling", text.spelling.location, problem)

    def _note(self, kind: str, location: Location, text: str) -> None:
        """Print a note, unless one of this kind was printed."""
        if kind not in self._noted:
            self._noted.add(kind)
            self.options.note(location.message(text))

    def _block(self, drawn: DrawnToken, answer: Answer, text: int) -> Block:
        """Return the block of a token, the next row. Print notes on contradictions."""
        listed = listed_tokens(drawn, self._last_token[1] if self._last_token[0] == text else None)
        self._last_token = text, drawn
        self._foreign_rows += FOREIGN in listed.notes
        for kind, problem in listed.notes.items():
            self._note(kind, drawn.location, problem)
        block = token_block(drawn, listed, self.row)
        assert block.partial
        partial = replace(block.partial, choice=answer.number, has_choices=self._has_choices, text=text)
        classes = answer.objects[-1].get("vocab_size") if answer.objects else None
        if is_index(classes):
            # Responses that tsoft writes have the vocabulary's size, which rounded numbers may contradict.
            with_classes = replace(partial, classes=classes)
            partial = with_classes if len(listed.tokens) <= classes and with_classes.is_consistent else partial
        self.row += 1
        self._note_skipped()
        targets = self.options.targets if self.options.reads_targets else None
        target = None if targets is None else _target(answer, targets.answer_field)
        return replace(block, partial=partial, origin=replace(block.origin, model=_model(answer), target=target))


def _arrays(value: object) -> Iterator[list[object]]:
    """Yield the documents of an array, each alone, and those of the arrays in it. A list of tokens without other texts
    is one document."""
    if not isinstance(value, list) or (is_token_list(value) and not all(map(other_text, value))):
        yield [value]
        return
    for element in value:
        yield element if isinstance(element, list) and not is_token_list(element) else [element]


def _model(answer: Answer) -> str:
    """Return the name of the model in the innermost object that has one; empty without one."""
    names = (field(record, "model", "model_version") for record in answer.objects)
    return next((name for name in names if isinstance(name, str) and name), "")


def _target(answer: Answer, field: str) -> str | None:
    """Return the right answer that the innermost object with this field names; None without one."""
    value = next((record[field] for record in answer.objects if record.get(field) is not None), None)
    if isinstance(value, list) and len(value) == 1:
        [value] = value
    # A negative number may be the --ignore-index.
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if isinstance(value, str) or is_number else None


def _token_count(search: Search) -> int:
    """Return the number of generated tokens in a document."""
    return sum(1 for found in search.lists if not found.is_prompt for _ in found.list.tokens())


def _has_tokens_beside(document: Object, event: Object) -> bool:
    """Return whether a document has tokens outside of an event that it contains."""
    lists = [] if event is document else Search(document, Location("")).lists
    return any(all(record is not event for record in found.answer.objects) for found in lists)


def _without_first(prompt: FoundList) -> Iterator[DrawnToken]:
    """Yield the tokens of a prompt without the first one, if it has no distribution because nothing precedes it."""
    tokens = prompt.list.tokens()
    first = next(tokens, None)
    if first and (first.token.number is not None or first.alternatives):
        yield first
    yield from tokens


def _without_logprobs(location: Location, response: Object, answer: Answer | None = None) -> InputError:
    """Return the error for a response without log-probabilities, which may be in an object that is not a response."""
    if isinstance(response, dict) and (api := api_without_logprobs(response)) is not None:
        fix = "use an API that does, such as OpenAI's or vLLM's"
        return location.error(f"{api} does not return log-probabilities; {fix}")
    if (problem := probabilities_problem(response)) is not None:
        return location.error(problem)
    request = _request(response, answer)
    if request is None:
        place = mark_in(response)
        problem = "no choices, output, candidates or logprobs" if place is None else f"no log-probabilities in {place}"
        return location.error(f"unknown response: {problem}; {_FORMATS}")
    return location.error(f"the response has no log-probabilities; add {request} to the request")


def _request(response: Object, answer: Answer | None) -> str | None:
    """Return the fields of a request that make the server return log-probabilities; None if this is no response."""
    requests = map(logprobs_request, (response, *(answer.objects if answer else ())))
    return next((request for request in requests if request is not None), None)
