"""Requests to a server of JSON over HTTP: headers, time limits, retries and error messages. urllib3
(urllib3.readthedocs.io) holds the connections, follows redirects and checks certificates."""

import contextlib
import json
import queue
import re
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html.entities import html5
from http.client import BadStatusLine, LineTooLong
from typing import TypeVar
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions
from urllib3.util import Retry, Timeout, Url, parse_url

from tsoft.errors import InputError, UsageError

T = TypeVar("T")
R = TypeVar("R")

# The most requests at once.
MAX_CONNECTIONS = 4
# The most retries of a request whose failure may pass, and the seconds before the first, which double each time.
RETRIES = 3
BACKOFF = 0.5
RETRIED_STATUSES = (429, 502, 503, 504)
MAX_REDIRECTS = 5
# A response with one token has some kilobytes.
MAX_BYTES = 1 << 26
_CHUNK_BYTES = 1 << 16
# Sockets may refuse a longer time-out.
_MAX_SECONDS = 1e6
_URL_EXAMPLE = "as http://localhost:8080/v1"


class ConnectionLostError(InputError):
    """The connection ended before the response did; a retry may succeed."""


@dataclass(frozen=True)
class HttpResponse:
    """A response from a URL: the HTTP status, the body, and after how many seconds the server asks for a retry; None
    if it does not."""

    url: str
    status: int
    body: bytes
    retry_after: float | None = None


class Server:
    """A server at a URL. Each request has the name and password of the URL, or else the `key`; no other host gets
    them, and no message shows them. Raises UsageError for an invalid URL or key."""

    def __init__(self, url: str, key: str, timeout: float, pause: Callable[[float], None] = time.sleep):
        if not 0 < timeout <= _MAX_SECONDS:
            raise UsageError(f"--timeout: {timeout:g} is not a number of seconds from 0 to {_MAX_SECONDS:g}")
        self._url = _parsed(url)
        self._timeout, self._pause = timeout, pause
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        self._secrets: list[str] = []
        self._authorise(key)
        self._pool = _pool(self._url)

    @property
    def host(self) -> str:
        """The name, with the port if it is not the default."""
        return str(self._url.netloc)

    @property
    def path(self) -> str:
        """The path of the URL, without a slash at its end."""
        return (self._url.path or "").rstrip("/")

    def url(self, path: str) -> str:
        """The URL of a path on the server, for messages."""
        return self._url_of(path)._replace(auth=None, query=None).url

    def request(
        self, path: str, body: bytes | None = None, *, retries: int = RETRIES, within: float = _MAX_SECONDS
    ) -> HttpResponse:
        """POST a body, or GET without one. Retries failures that may pass: too many requests, a missing upstream
        server, a lost connection. Raises InputError if there is no whole response within the time-out, or `within`
        seconds if these are fewer."""
        deadline = time.monotonic() + min(within, self._timeout)
        for i in range(retries + 1):
            retry_after = BACKOFF * 2**i
            try:
                response = self._attempt(path, body, deadline)
                retry_after = retry_after if response.retry_after is None else response.retry_after
                if response.status not in RETRIED_STATUSES or i == retries or time.monotonic() + retry_after > deadline:
                    break
            except ConnectionLostError:
                if i == retries or time.monotonic() + retry_after > deadline:
                    raise
            self._pause(retry_after)
        return response

    def redacted(self, data: bytes) -> str:
        """A response body as text, without the key, which some servers repeat in their errors, in any spelling of JSON,
        HTML or a URL. Redact before shortening: a part of the key would not be found."""
        text = data.decode(json.detect_encoding(data), errors="replace")
        for secret in self._secrets:
            text = re.sub("".join(map(_spelling_pattern, secret)), "***", text)
        return text

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _authorise(self, key: str) -> None:
        """Set the Authorization header, and the secrets in it that no message may show."""
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

    def _url_of(self, path: str) -> Url:
        return self._url._replace(path=self.path + path)

    def _attempt(self, path: str, body: bytes | None, deadline: float) -> HttpResponse:
        """Send a request once, and follow its redirects."""
        url = self.url(path)
        try:
            # The time-out of a socket limits each read, but not their number, nor how long a name is looked up.
            seconds = max(0.001, deadline - time.monotonic())
            [response] = in_threads(lambda _: self._send(path, body, deadline), [None], seconds)
            return response
        except TimeoutError:
            raise self._too_late(url) from None
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise self._explained(error, url) from None

    def _send(self, path: str, body: bytes | None, deadline: float) -> HttpResponse:
        url = self.url(path)
        remaining = max(0.001, deadline - time.monotonic())
        response = self._pool.request(
            "GET" if body is None else "POST",
            self._url_of(path)._replace(auth=None).url,
            body=body,
            headers=self._headers,
            timeout=Timeout(remaining, remaining),
            retries=Retry(None, connect=0, read=0, status=0, other=0, redirect=MAX_REDIRECTS),
            preload_content=False,
        )
        try:
            return HttpResponse(url, response.status, _body(response, url, deadline), _retry_after(response))
        finally:
            # A connection whose response was not read to the end cannot be reused.
            response.close()

    def _too_late(self, url: str) -> InputError:
        return InputError(f"{url}: no answer within {self._timeout:g} s; --timeout SECONDS waits longer")

    def _explained(self, error: BaseException, url: str) -> InputError:
        """The error in the user's words: urllib3's messages have addresses of objects, and whole URLs."""
        if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
            error = error.reason
        by_proxy = isinstance(error, exceptions.ProxyError)
        if isinstance(error, exceptions.ProxyError):
            error = error.original_error
        server = "the proxy that the environment names" if by_proxy else "the server"
        if isinstance(error, exceptions.NameResolutionError):
            return InputError(f"{url}: no address is known of {server}: there is no host of that name")
        if isinstance(error, exceptions.NewConnectionError):
            return InputError(f"{url}: {server} is not there ({_reason(error)})")
        if isinstance(error, exceptions.TimeoutError):
            return self._too_late(url)
        if isinstance(error, exceptions.SSLError | ssl.SSLError):
            return InputError(f"{url}: no secure connection to {server}: {_reason(error)}")
        if by_proxy:
            return InputError(f"{url}: {server} does not pass this on: {error}")
        if isinstance(error, exceptions.ResponseError):
            return InputError(f"{url}: more than {MAX_REDIRECTS} redirects, one to the next")
        if isinstance(error, ValueError):
            return InputError(f"{url}: this, or what it redirects to, is no URL that can be asked")
        if isinstance(error, exceptions.DecodeError):
            return InputError(f"{url}: the answer is not compressed as it says")
        if any(isinstance(part, BadStatusLine | LineTooLong) and not isinstance(part, OSError) for part in error.args):
            return InputError(f"{url}: what answers there does not speak HTTP")
        return ConnectionLostError(f"{url}: the connection broke off before the answer was there")


def in_threads(work: Callable[[T], R], items: Sequence[T], seconds: float | None = None) -> list[R]:
    """The results of the work on each item, on `MAX_CONNECTIONS` at a time. Returns at once on an error in one, or on
    Ctrl-C: the threads are daemons, which end with the program. Raises TimeoutError if there is no result for so many
    seconds."""
    waiting, done = queue.SimpleQueue[int](), queue.SimpleQueue[tuple[int, R | Exception]]()
    for i in range(len(items)):
        waiting.put(i)

    def run() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                i = waiting.get_nowait()
                try:
                    done.put((i, work(items[i])))
                except Exception as error:
                    done.put((i, error))
                    return

    for _ in range(min(MAX_CONNECTIONS, len(items))):
        threading.Thread(target=run, daemon=True).start()
    results: dict[int, R] = {}
    while len(results) < len(items):
        try:
            i, result = done.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(result, Exception):
            raise result
        results[i] = result
    return [results[i] for i in range(len(items))]


def _body(response: urllib3.BaseHTTPResponse, url: str, deadline: float) -> bytes:
    """The whole body, read piece by piece to notice one that is too slow or too long."""
    parts = bytearray()
    while part := response.read1(_CHUNK_BYTES):
        parts += part
        if len(parts) > MAX_BYTES:
            raise InputError(f"{url}: the answer is longer than {MAX_BYTES >> 20} MB")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(parts)


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    try:
        return Retry().get_retry_after(response)
    except (exceptions.InvalidHeader, ValueError, OverflowError):
        # Neither a number nor a date, or out of range.
        return None


def _spelling_pattern(character: str) -> str:
    r"""A pattern of the spellings of a character: itself, after backslashes or not, its number in JSON, HTML or a URL,
    and its name in HTML. Repetitions are bounded, so that the search takes linear time.

    >>> pattern = _spelling_pattern("&")
    >>> all(re.fullmatch(pattern, text) for text in ["&", r"\&", r"\u0026", "&#38;", "&#x26;", "&amp;", "%26"])
    True
    """
    code = ord(character)
    utf_16 = character.encode("utf-16-be").hex()
    in_json = "".join(rf"\\{{1,8}}u(?i:{utf_16[i : i + 4]})" for i in range(0, len(utf_16), 4))
    in_url = "".join(f"%(?i:{byte:02x})" for byte in character.encode())
    named = "".join(f"|{name}" for name, meant in html5.items() if meant == character and name.endswith(";"))
    in_html = rf"(?:&|\\{{1,8}}u0026)(?:#0{{0,8}}{code};|#[xX]0{{0,8}}(?i:{code:x});{named})"
    return rf"(?:{in_html}|{in_json}|{in_url}|\\{{0,8}}{re.escape(character)})"


def _parsed(url: str) -> Url:
    """The parsed URL of --endpoint. No message shows it, since it may have a password."""
    if not url.isprintable() or " " in url:
        raise UsageError("--endpoint: a URL has no blanks and no control characters")
    try:
        parsed_url = parse_url(url)
    except exceptions.LocationParseError:
        raise UsageError(f"--endpoint: this is not a URL, {_URL_EXAMPLE}") from None
    if parsed_url.scheme not in ("http", "https"):
        raise UsageError(f"--endpoint: a URL begins with http:// or https://, {_URL_EXAMPLE}")
    if not parsed_url.host:
        raise UsageError(f"--endpoint: the URL has no host, {_URL_EXAMPLE}")
    return parsed_url._replace(fragment=None)


def _pool(url: Url) -> urllib3.PoolManager:
    """Connections, through a proxy if the environment names one, but directly to this computer: the localhost of a
    proxy is another."""
    host = url.host or ""
    proxies = getproxies()
    proxy = proxies.get(url.scheme or "") or proxies.get("all")
    is_here = host in ("localhost", "[::1]") or host.startswith("127.")
    if not proxy or is_here or proxy_bypass(url.netloc or ""):
        return urllib3.PoolManager(maxsize=MAX_CONNECTIONS)
    try:
        parsed = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        headers = urllib3.make_headers(proxy_basic_auth=unquote(parsed.auth)) if parsed.auth else {}
        return urllib3.ProxyManager(parsed._replace(auth=None).url, maxsize=MAX_CONNECTIONS, proxy_headers=headers)
    except (exceptions.LocationValueError, AssertionError):
        raise UsageError(f"{url.scheme}_proxy: the environment's proxy is not a URL of http or https") from None


def _reason(error: BaseException) -> str:
    """The message of the operating system or of TLS behind an error of urllib3."""
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
