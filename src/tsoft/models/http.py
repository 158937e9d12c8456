"""JSON requests to an HTTP server: headers, time limits, retries and error messages.

urllib3 (urllib3.readthedocs.io) manages the connections and verifies certificates. tsoft follows redirects itself, but
only to the same server: a prompt must not go to a host that the user has not named.
"""

import json
import ssl
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from http.client import BadStatusLine, LineTooLong, RemoteDisconnected
from urllib.parse import unquote, urljoin
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions
from urllib3.util import Retry, Timeout, Url, parse_url

from tsoft.errors import InputError, UsageError, shortened
from tsoft.models.daemon_threads import in_daemon_threads
from tsoft.models.redaction import redacted

# The maximum number of simultaneous requests, unless the user sets another.
MAX_CONNECTIONS = 4
# The maximum number of retries of a request, and the seconds before the first one. The seconds double each time.
RETRIES = 3
BACKOFF = 0.5
RETRIED_STATUSES = (429, 502, 503, 504)
MAX_REDIRECTS = 5
# A response with one token has a few kilobytes.
MAX_BYTES = 1 << 26
_CHUNK_BYTES = 1 << 16
# Sockets may reject a longer timeout.
_MAX_SECONDS = 1e6
_URL_EXAMPLE = "such as http://localhost:8080/v1"


class ConnectionLostError(InputError):
    """The connection ended before the response did; a retry may succeed."""


class UnansweredError(ConnectionLostError):
    """The server closed the connection before it sent anything."""


@dataclass(frozen=True)
class HttpResponse:
    """A response from a URL: the HTTP status and the body.

    `retry_after` is the number of seconds after which the server requests a retry; None if it does not request one.
    """

    url: str
    status: int
    body: bytes
    retry_after: float | None = None


class Server:
    """A server at a URL.

    Each request has the user name and password of the URL, or else the `key`. tsoft sends these to no other host,
    and no message shows them. Up to `connections` connections stay open. Raise UsageError for an invalid URL or key.
    """

    def __init__(
        self,
        url: str,
        key: str,
        timeout: float,
        pause: Callable[[float], None] = time.sleep,
        connections: int = MAX_CONNECTIONS,
    ):
        if not 0 < timeout <= _MAX_SECONDS:
            raise UsageError(
                f"--timeout: {timeout:g} is out of range; pass a number of seconds above 0, up to {_MAX_SECONDS:g}"
            )
        self._url = _parsed(url)
        self._timeout, self._pause = timeout, pause
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        self._secrets: list[str] = []
        self._authorize(key)
        self._pool = _pool(self._url, connections)

    @property
    def host(self) -> str:
        """The host name, with the port if it is not the default."""
        return str(self._url.netloc)

    @property
    def path(self) -> str:
        """The path of the URL, without a slash at its end."""
        return (self._url.path or "").rstrip("/")

    def url(self, path: str) -> str:
        """Return the URL of a path on the server, for messages."""
        return self._url_of(path)._replace(auth=None, query=None).url

    def request(
        self, path: str, body: bytes | None = None, *, retries: int = RETRIES, within: float = _MAX_SECONDS
    ) -> HttpResponse:
        """POST a body, or GET without a body.

        Retries after failures that may be temporary: too many requests, an unavailable upstream server, a lost
        connection. Raise InputError without a complete response within the timeout, or within `within` seconds if
        that is shorter.
        """
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

    def redacted(self, data: bytes, *, min_length: int = 0) -> str:
        """Return a response body as text, without the key, if this has at least `min_length` characters. Bytes that are
        no text become U+FFFD."""
        text = data.decode(json.detect_encoding(data), errors="replace")
        return redacted(text, [secret for secret in self._secrets if len(secret) >= min_length])

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _authorize(self, key: str) -> None:
        """Set the Authorization header, and remember its secrets, which no message may show."""
        if self._url.auth:
            user_and_password = unquote(self._url.auth)
            basic = b64encode(user_and_password.encode()).decode()
            self._headers["Authorization"] = f"Basic {basic}"
            self._secrets = [basic, user_and_password, *filter(None, user_and_password.split(":", 1)[1:])]
        elif key:
            if not (key.isascii() and key.isprintable()):
                raise UsageError("OPENAI_API_KEY: the key contains line breaks or non-ASCII characters")
            self._headers["Authorization"] = f"Bearer {key}"
            self._secrets = [key]

    def _url_of(self, path: str) -> Url:
        return self._url._replace(path=self.path + path)

    def _attempt(self, path: str, body: bytes | None, deadline: float) -> HttpResponse:
        """Send a request once, and follow its redirects."""
        url = self.url(path)
        try:
            # A socket's timeout limits each read, but not the number of reads, nor the lookup of the host name.
            seconds = max(0.001, deadline - time.monotonic())
            [response] = in_daemon_threads(lambda _: self._send(path, body, deadline), [None], 1, seconds)
            return response
        except TimeoutError:
            raise self._too_late(url) from None
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise self._explained(error, url) from None

    def _send(self, path: str, body: bytes | None, deadline: float) -> HttpResponse:
        url, target = self.url(path), self._url_of(path)._replace(auth=None)
        for _ in range(MAX_REDIRECTS + 1):
            response = self._open(target, body, deadline)
            try:
                location = response.get_redirect_location()
                if not location:
                    return HttpResponse(url, response.status, _body(response, url, deadline), _retry_after(response))
            finally:
                # A connection can be reused only after its response has been read to the end.
                response.close()
            target = self._redirected(target, location, url)
            # RFC 9110, section 15.4.4: See Other.
            body = None if response.status == 303 else body
        raise InputError(f"{url}: more than {MAX_REDIRECTS} redirects in a row")

    def _open(self, target: Url, body: bytes | None, deadline: float) -> urllib3.BaseHTTPResponse:
        """Send a request once, and return the response before its body is read."""
        remaining = max(0.001, deadline - time.monotonic())
        return self._pool.request(
            "GET" if body is None else "POST",
            target.url,
            body=body,
            headers=self._headers,
            timeout=Timeout(remaining, remaining),
            retries=Retry(None, connect=0, read=0, status=0, other=0, redirect=False),
            redirect=False,
            preload_content=False,
        )

    def _redirected(self, source: Url, location: str, url: str) -> Url:
        """Return the target of a redirect. Raise InputError if it is not on the same server."""
        target = parse_url(urljoin(source.url, location))._replace(fragment=None)
        if _origin(target) != _origin(source):
            shown = shortened(target._replace(auth=None, query=None).url, 200)
            problem = f"the server redirects to {shown}, but tsoft sends the prompt only to the server of --endpoint"
            raise InputError(f"{url}: {problem}; pass the other URL if you trust it")
        return target._replace(auth=None)

    def _too_late(self, url: str) -> InputError:
        return InputError(f"{url}: no response within {self._timeout:g} s; pass --timeout SECONDS to wait longer")

    def _explained(self, error: BaseException, url: str) -> InputError:
        """Return an error with a plain message: urllib3's messages contain object addresses and whole URLs."""
        if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
            error = error.reason
        by_proxy = isinstance(error, exceptions.ProxyError)
        if isinstance(error, exceptions.ProxyError):
            error = error.original_error
        server = "the proxy from the environment" if by_proxy else "the server"
        if isinstance(error, exceptions.NameResolutionError):
            return InputError(f"{url}: cannot find the address of {server}; check the host name")
        if isinstance(error, exceptions.NewConnectionError):
            return InputError(f"{url}: cannot connect to {server}: {_reason(error)}; check that it is running")
        if isinstance(error, exceptions.TimeoutError):
            return self._too_late(url)
        if isinstance(error, exceptions.SSLError | ssl.SSLError):
            return InputError(f"{url}: no secure connection to {server}: {_reason(error)}")
        if by_proxy:
            return InputError(f"{url}: {server} did not forward the request: {error}")
        if isinstance(error, ValueError):
            return InputError(f"{url}: this URL, or one that it redirects to, is invalid")
        if isinstance(error, exceptions.DecodeError):
            return InputError(f"{url}: the response is not compressed as its headers state")
        if any(isinstance(part, BadStatusLine | LineTooLong) and not isinstance(part, OSError) for part in error.args):
            return InputError(f"{url}: the server does not speak HTTP")
        if any(isinstance(part, RemoteDisconnected) for part in error.args):
            return UnansweredError(f"{url}: the server closed the connection without an answer")
        return ConnectionLostError(f"{url}: the connection was lost before the response was complete")


def _body(response: urllib3.BaseHTTPResponse, url: str, deadline: float) -> bytes:
    """Return the whole body. It is read piece by piece, to detect one that is too slow or too long."""
    parts = bytearray()
    while part := response.read1(_CHUNK_BYTES):
        parts += part
        if len(parts) > MAX_BYTES:
            raise InputError(f"{url}: the response is larger than {MAX_BYTES >> 20} MB")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(parts)


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    retry = Retry()
    # Newer versions of urllib3 return at most 6 hours otherwise.
    retry.retry_after_max = sys.maxsize
    try:
        return retry.get_retry_after(response)
    except (exceptions.InvalidHeader, ValueError, OverflowError):
        # The header is neither a number nor a date, or it is out of range.
        return None


def _parsed(url: str) -> Url:
    """Return the parsed URL of --endpoint. No message shows the URL, because it may contain a password."""
    if not url.isprintable() or " " in url:
        raise UsageError("--endpoint: the URL contains spaces or control characters; remove them")
    try:
        parsed_url = parse_url(url)
    except exceptions.LocationParseError:
        raise UsageError(f"--endpoint: not a valid URL; pass one {_URL_EXAMPLE}") from None
    if parsed_url.scheme not in ("http", "https"):
        raise UsageError(f"--endpoint: the URL does not start with http:// or https://; pass one {_URL_EXAMPLE}")
    if not parsed_url.host:
        raise UsageError(f"--endpoint: the URL has no host; pass one {_URL_EXAMPLE}")
    return parsed_url._replace(fragment=None)


def _origin(url: Url) -> tuple[str | None, str | None, int | None]:
    """Return the scheme, the host and the port of a URL."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme or "")


def _pool(url: Url, connections: int) -> urllib3.PoolManager:
    """Return a connection pool, with a proxy if the environment names one.

    Connections to this computer are direct: for a proxy, localhost is another computer.
    """
    host = url.host or ""
    proxies = getproxies()
    proxy = proxies.get(url.scheme or "") or proxies.get("all")
    is_here = host in ("localhost", "[::1]") or host.startswith("127.")
    if not proxy or is_here or proxy_bypass(url.netloc or ""):
        return urllib3.PoolManager(maxsize=connections)
    try:
        parsed = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        headers = urllib3.make_headers(proxy_basic_auth=unquote(parsed.auth)) if parsed.auth else {}
        return urllib3.ProxyManager(parsed._replace(auth=None).url, maxsize=connections, proxy_headers=headers)
    except (exceptions.LocationValueError, AssertionError):
        raise UsageError(f"{url.scheme}_proxy: the proxy from the environment is not an http or https URL") from None


def _reason(error: BaseException) -> str:
    """Return the message of the operating system or of TLS behind an error of urllib3."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return (cause.reason or "TLS failed").replace("_", " ").lower()
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        inner = next((part for part in cause.args if isinstance(part, BaseException)), None)
        cause = inner or cause.__cause__ or cause.__context__
    return "no connection"
