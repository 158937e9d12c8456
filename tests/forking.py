"""A `tsoft` that starts in a quarter of the time, for tests that do not test the start.

Imports take most of a short run. Each process of the tests starts one server at its first run. The server imports
tsoft once, and forks twice for each run: a keeper, which waits for the run and reports its exit status, and the run
itself. The `tsoft` on the PATH is a client, `send_run`, in a Python without `site`. It sends its standard streams,
folder, environment and arguments to the server over a socket, waits, and exits with the status of the run. Everything
except the start is real: the run is a separate process with the streams and the terminal of its caller, it calls
`main`, and the interpreter shuts down as usual. Runs do not affect each other, because the server only imports.

The client does not send signals, the session, limits, the umask, or closed streams. The settings that Python reads at
its start, such as warnings and encoding, are those of the server. Tests of these start the real `tsoft`.
"""

import _socket  # The import of socket takes longer than the rest of `send_run`.
import marshal
import os
import sys

STREAMS = (0, 1, 2)
SOCKET = "socket"
# A run ends after at most this many seconds, even if its test was killed at the limit of a minute.
LONGEST = 120


def start(environment: dict[str, str]) -> str:
    """Start a server and return the folder of its `tsoft`. The server ends with this process, even if it is killed."""
    import atexit
    import subprocess

    command = [sys.executable, __file__]
    # In its own process group, the server does not receive Ctrl-C.
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, process_group=0)
    assert server.stdin
    assert server.stdout
    atexit.register(server.wait)
    # The server ends when its stdin is closed.
    atexit.register(server.stdin.close)
    with server.stdout as output:
        folder = output.readline().decode().rstrip("\n")
    assert folder, "the server did not start"
    return folder


def send_run(folder: str) -> None:
    """Let the server in this folder run `tsoft` in place of this process."""
    request = marshal.dumps((os.getcwdb(), dict(os.environb), [os.fsencode(word) for word in sys.argv[1:]]))
    # The path of a socket is limited to about a hundred characters, so it is relative.
    os.chdir(folder)
    server = _socket.socket(_socket.AF_UNIX)
    server.connect(SOCKET)
    descriptors = b"".join(stream.to_bytes(4, sys.byteorder) for stream in STREAMS)
    server.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    server.sendall(request)
    server.shutdown(_socket.SHUT_WR)
    # Only the run has the streams open now, and closes them when it ends.
    for stream in STREAMS:
        os.close(stream)
    status = int(server.recv(16))
    if status < 0:
        import signal

        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def serve() -> None:
    """Serve until stdin ends. Returns only in the process of a run, which has then taken over its client."""
    import select
    import shutil
    import signal
    import socket
    import tempfile

    folder = tempfile.mkdtemp()
    os.chdir(folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen(64)
    with open("tsoft", "w", encoding="utf-8") as script:
        tests = os.path.dirname(os.path.abspath(__file__))
        script.write(f"#!{sys.executable} -IS\nimport sys\nsys.path.insert(0, {tests!r})\n")
        script.write(f"import forking\nforking.send_run({folder!r})\n")
    os.chmod("tsoft", 0o700)
    print(folder, flush=True)
    # The server does not wait for the keepers.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while 0 not in select.select([0, listener.fileno()], [], [])[0]:
        client, _ = listener.accept()
        if not os.fork():
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if run := os.fork():
                status = os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])
                client.send(b"%d" % status)
                os._exit(0)
            signal.alarm(LONGEST)
            _take_over(client)
            return
        client.close()
    shutil.rmtree(folder)
    os._exit(0)


def _take_over(client: _socket.socket) -> None:
    """Take over the streams, folder, environment and arguments of a client."""
    _, [(_, _, sent)], *_ = client.recvmsg(1, _socket.CMSG_SPACE(4 * len(STREAMS)))
    request = b""
    while part := client.recv(1 << 16):
        request += part
    client.close()
    folder, environ, arguments = marshal.loads(request)
    for stream in STREAMS:
        descriptor = int.from_bytes(sent[4 * stream : 4 * stream + 4], sys.byteorder)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(environ)
    sys.argv[1:] = map(os.fsdecode, arguments)
    for stream, name in enumerate(("stdin", "stdout", "stderr")):
        original = getattr(sys, name)
        # As Python opens them: stderr is line-buffered, the others depend on whether they are a terminal.
        mode, buffering = "w" if stream else "r", 1 if name == "stderr" else -1
        replacement = os.fdopen(stream, mode, buffering, original.encoding, original.errors, closefd=False)
        setattr(sys, name, replacement)
        setattr(sys, f"__{name}__", replacement)


def _imports() -> None:
    """Import what runs import, except packages that are slow to import and that few runs need."""
    import importlib
    import pkgutil

    import tsoft

    extras = ("tsoft.input.arrow_", "tsoft.output.parquet_file", "tsoft.output.safetensors_file")
    excluded = ("tsoft.explorer", "tsoft.models", *extras)
    for module in pkgutil.walk_packages(tsoft.__path__, "tsoft."):
        if not module.name.startswith(excluded):
            importlib.import_module(module.name)
    for name in ("numpy.random", "orjson", "plotext", "rich.progress"):
        importlib.import_module(name)


if __name__ == "__main__":
    _imports()
    serve()
    from tsoft.__main__ import main

    main()
