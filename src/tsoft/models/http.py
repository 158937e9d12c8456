"""A server that is asked for JSON over HTTP: what is sent to it, how long is waited, and what can go wrong on
the way. urllib3 (urllib3.readthedocs.io) holds the connections, follows redirects and checks certificates."""

import json
import queue
import re
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from html.entities import html5
from http.client import BadStatusLine, LineTooLong
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions
from urllib3.util import Retry, Timeout, Url, parse_url

from tsoft.errors import InputError, UsageError

# How many requests a server gets at once.
AT_ONCE = 4
# What passes is tried again so often, after so many seconds, then twice and four times as many.
RETRIES = 3
BACKOFF = 0.5
PASSING = (429, 502, 503, 504)
REDIRECTS = 5
# The answer of one token has some kilobytes.
MOST_BYTES = 1 << 26
_CHUNK = 1 << 16
# Beyond it sockets may refuse a time-out.
_LONGEST = 1e6
_EXAMPLE = "as http://localhost:8080/v1"


class BrokenOffError(InputError):
    """A connection that ended before the answer did, which may hold the next time."""


@dataclass(frozen=True)
class Answer:
    """What came back from `where`: the status of HTTP, the body, and for how many seconds the server asked to be
    left alone, None where it did not."""

    where: str
    status: int
    body: bytes
    wait: float | None = None


class Server:
    """A server below a URL. A name and a password in the URL go with each request, or else the `key`, to this
    host alone, and no message has them. Raises UsageError for what is no URL, and for what is no key."""

    def __init__(self, url: str, key: str, timeout: float, pause: Callable[[float], None] = time.sleep):
        if not 0 < timeout <= _LONGEST:
            raise UsageError(f"--timeout: {timeout:g} is not a number of seconds from 0 to {_LONGEST:g}")
        self._url = _parsed(url)
        self._timeout, self._pause = timeout, pause
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        self._secrets: list[str] = []
        self._authorise(key)
        self._pool = _pool(self._url)

    @property
    def host(self) -> str:
        """Its name, with the port where that is not the usual."""
        return str(self._url.netloc)

    @property
    def path(self) -> str:
        """The URL's path, without a slash at its end."""
        return (self._url.path or "").rstrip("/")

    def where(self, path: str) -> str:
        """The URL of a path below, for messages."""
        return self._below(path)._replace(auth=None, query=None).url

    def ask(self, path: str, body: bytes | None = None, *, retries: int = RETRIES, within: float = _LONGEST) -> Answer:
        """Posts a body, or gets where there is none. What passes (too many requests, a server behind this one that
        is not there, a connection that breaks off) is tried again. Raises InputError where no whole answer comes
        in time, `within` so many seconds if those are fewer."""
        deadline = time.monotonic() + min(within, self._timeout)
        for i in range(retries + 1):
            wait = BACKOFF * 2**i
            try:
                answer = self._asked(path, body, deadline)
                wait = wait if answer.wait is None else answer.wait
                if answer.status not in PASSING or i == retries or time.monotonic() + wait > deadline:
                    break
            except BrokenOffError:
                if i == retries or time.monotonic() + wait > deadline:
                    raise
            self._pause(wait)
        return answer

    def scrubbed(self, data: bytes) -> str:
        """What a server wrote, as text, without the key, which some repeat in their errors, however it is spelt in
        JSON, HTML or a URL. Before it is read: what is left of a text that was shortened is no longer found."""
        text = data.decode(json.detect_encoding(data), errors="replace")
        for secret in self._secrets:
            text = re.sub("".join(map(_spellings, secret)), "***", text)
        return text

    def close(self) -> None:
        """Ends the connections."""
        self._pool.clear()

    def _authorise(self, key: str) -> None:
        """Adds to what is sent who asks, and to the secrets what no message may have of it."""
        if self._url.auth:
            both = unquote(self._url.auth)
            basic = b64encode(both.encode()).decode()
            self._headers["Authorization"] = f"Basic {basic}"
            self._secrets = [basic, both, *filter(None, both.split(":", 1)[1:])]
        elif key:
            if not (key.isascii() and key.isprintable()):
                raise UsageError("OPENAI_API_KEY: a key has no line breaks, and no letters but ASCII's")
            self._headers["Authorization"] = f"Bearer {key}"
            self._secrets = [key]

    def _below(self, path: str) -> Url:
        return self._url._replace(path=self.path + path)

    def _asked(self, path: str, body: bytes | None, deadline: float) -> Answer:
        """One try, with its redirects."""
        where = self.where(path)
        try:
            return _within(deadline - time.monotonic(), lambda: self._answer(path, body, deadline))
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise self._failure(error, where) from None
        except _LateError:
            raise self._too_late(where) from None

    def _answer(self, path: str, body: bytes | None, deadline: float) -> Answer:
        where = self.where(path)
        left = max(0.001, deadline - time.monotonic())
        response = self._pool.request(
            "GET" if body is None else "POST",
            self._below(path)._replace(auth=None).url,
            body=body,
            headers=self._headers,
            timeout=Timeout(left, left),
            retries=Retry(None, connect=0, read=0, status=0, other=0, redirect=REDIRECTS),
            preload_content=False,
        )
        try:
            return Answer(where, response.status, _body(response, where, deadline), _retry_after(response))
        finally:
            # What was not read to its end is of no use to another request.
            response.close()

    def _too_late(self, where: str) -> InputError:
        return InputError(f"{where}: no answer within {self._timeout:g} s; --timeout SECONDS waits longer")

    def _failure(self, error: BaseException, where: str) -> InputError:
        """What went wrong, in the user's words: urllib3's own have addresses of objects, and URLs whole."""
        if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
            error = error.reason
        by_proxy = isinstance(error, exceptions.ProxyError)
        if isinstance(error, exceptions.ProxyError):
            error = error.original_error
        whom = "the proxy that the environment names" if by_proxy else "the server"
        if isinstance(error, exceptions.NameResolutionError):
            return InputError(f"{where}: no address is known of {whom}: there is no host of that name")
        if isinstance(error, exceptions.NewConnectionError):
            return InputError(f"{where}: {whom} is not there ({_reason(error)})")
        if isinstance(error, exceptions.TimeoutError):
            return self._too_late(where)
        if isinstance(error, exceptions.SSLError | ssl.SSLError):
            return InputError(f"{where}: no secure connection to {whom}: {_reason(error)}")
        if by_proxy:
            return InputError(f"{where}: {whom} does not pass this on: {error}")
        if isinstance(error, exceptions.ResponseError):
            return InputError(f"{where}: more than {REDIRECTS} redirects, one to the next")
        if isinstance(error, ValueError):
            return InputError(f"{where}: this, or what it redirects to, is no URL that can be asked")
        if isinstance(error, exceptions.DecodeError):
            return InputError(f"{where}: the answer is not compressed as it says")
        if any(isinstance(part, BadStatusLine | LineTooLong) and not isinstance(part, OSError) for part in error.args):
            return InputError(f"{where}: what answers there does not speak HTTP")
        return BrokenOffError(f"{where}: the connection broke off before the answer was there")


class _LateError(Exception):
    """The deadline has passed while an answer was waited for, or read."""


def _within(seconds: float, work: Callable[[], Answer]) -> Answer:
    """What the work gives within so many seconds. Raises _LateError where it takes longer: a socket's time-out
    bounds each read of it, and not how many there are of an answer's head, or how long a name is looked up. What
    comes too late is left to a thread that does not outlive the program."""
    done = queue.SimpleQueue[Answer | Exception]()

    def run() -> None:
        try:
            done.put(work())
        except Exception as error:
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        answer = done.get(timeout=max(0.001, seconds))
    except queue.Empty:
        raise _LateError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _body(response: urllib3.BaseHTTPResponse, where: str, deadline: float) -> bytes:
    """The whole body. It is read as it comes, so that one that trickles or never ends is noticed."""
    parts = bytearray()
    while part := response.read1(_CHUNK):
        parts += part
        if len(parts) > MOST_BYTES:
            raise InputError(f"{where}: the answer is longer than {MOST_BYTES >> 20} MB")
        if time.monotonic() > deadline:
            raise _LateError
    return bytes(parts)


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    try:
        return Retry().get_retry_after(response)
    except (exceptions.InvalidHeader, ValueError, OverflowError):
        # No number and no date, or one beyond all that there are.
        return None


def _spellings(character: str) -> str:
    r"""A pattern of the ways to write a character: as it is or after a backslash, by its number in JSON, in HTML and
    in a URL, or by its name in HTML.

    >>> all(re.fullmatch(_spellings("&"), text) for text in ["&", r"\&", r"\u0026", "&#38;", "&#x26;", "&amp;", "%26"])
    True
    """
    code = ord(character)
    utf_16 = character.encode("utf-16-be").hex()
    in_json = "".join(rf"\\+u(?i:{utf_16[i : i + 4]})" for i in range(0, len(utf_16), 4))
    in_url = "".join(f"%(?i:{byte:02x})" for byte in character.encode())
    named = "".join(f"|{name}" for name, meant in html5.items() if meant == character and name.endswith(";"))
    in_html = rf"(?:&|\\+u0026)(?:#0*{code};|#[xX]0*(?i:{code:x});{named})"
    return rf"(?:{in_html}|{in_json}|{in_url}|\\*{re.escape(character)})"


def _parsed(url: str) -> Url:
    """A typed URL. It is in no message, since it may have a password."""
    if not url.isprintable() or " " in url:
        raise UsageError("--endpoint: a URL has no blanks and no control characters")
    try:
        found = parse_url(url)
    except exceptions.LocationParseError:
        raise UsageError(f"--endpoint: this is not a URL, {_EXAMPLE}") from None
    if found.scheme not in ("http", "https"):
        raise UsageError(f"--endpoint: a URL begins with http:// or https://, {_EXAMPLE}")
    if not found.host:
        raise UsageError(f"--endpoint: the URL has no host, {_EXAMPLE}")
    return found._replace(fragment=None)


def _pool(url: Url) -> urllib3.PoolManager:
    """Connections, by a proxy where the environment names one. This machine itself is asked directly: a proxy's
    localhost is another."""
    host = url.host or ""
    proxies = getproxies()
    proxy = proxies.get(url.scheme or "") or proxies.get("all")
    is_here = host in ("localhost", "[::1]") or host.startswith("127.")
    if not proxy or is_here or proxy_bypass(url.netloc or ""):
        return urllib3.PoolManager(maxsize=AT_ONCE)
    try:
        parsed = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        headers = urllib3.make_headers(proxy_basic_auth=unquote(parsed.auth)) if parsed.auth else {}
        return urllib3.ProxyManager(parsed._replace(auth=None).url, maxsize=AT_ONCE, proxy_headers=headers)
    except (exceptions.LocationValueError, AssertionError):
        raise UsageError(f"{url.scheme}_proxy: the environment's proxy is not a URL of http or https") from None


def _reason(error: BaseException) -> str:
    """What the system says, without where urllib3 was when it heard of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return (cause.reason or "TLS fails").replace("_", " ").lower()
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        inner = next((part for part in cause.args if isinstance(part, BaseException)), None)
        cause = inner or cause.__cause__ or cause.__context__
    return "no connection"
