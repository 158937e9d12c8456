"""A `tsoft` that starts for a quarter of the work, for tests that are not about the start.

Most of a short run is imports. A server, which a process of the tests starts at its first such run, has done
them and forks for each: first a keeper, which waits for the end and tells the status, then the run itself. What
stands for `tsoft` on the PATH is `ask`, in a Python without its site: it hands its standard streams, folder,
environment and arguments over a socket, waits, and ends as the run has ended. So all but the start is real: a
process of its own on the streams and the terminal of its caller, through `main` to the interpreter's own end. It
finds nothing that another run has left behind, since the server itself does nothing but import.

Not handed over are signals, the session, limits and the umask, and streams that are closed; and what the interpreter
reads when it starts, as the warnings and the encoding, is the server's. Tests of these start `tsoft` itself.
"""

import _socket  # socket itself takes longer to import than all the rest of `ask`
import marshal
import os
import sys

STREAMS = (0, 1, 2)
SOCKET = "socket"
# A run that outlives its test, and the test its limit of a minute, ends by this many seconds.
LONGEST = 120


def start(environment: dict[str, str]) -> str:
    """Starts a server, and gives the folder of its `tsoft`. It ends when this process ends, however that is."""
    import atexit
    import subprocess

    command = [sys.executable, __file__]
    # In a group of its own, Ctrl-C is not for it.
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, process_group=0)
    assert server.stdin
    assert server.stdout
    atexit.register(server.wait)
    # The end of its stdin is what ends it.
    atexit.register(server.stdin.close)
    with server.stdout as output:
        folder = output.readline().decode().rstrip("\n")
    assert folder, "the server did not start"
    return folder


def ask(folder: str) -> None:
    """Has the server in this folder run `tsoft` in this process's place."""
    request = marshal.dumps((os.getcwdb(), dict(os.environb), [os.fsencode(word) for word in sys.argv[1:]]))
    # A socket's path can be no longer than some hundred characters.
    os.chdir(folder)
    server = _socket.socket(_socket.AF_UNIX)
    server.connect(SOCKET)
    descriptors = b"".join(stream.to_bytes(4, sys.byteorder) for stream in STREAMS)
    server.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    server.sendall(request)
    server.shutdown(_socket.SHUT_WR)
    # The run alone holds them, and closes them when it ends.
    for stream in STREAMS:
        os.close(stream)
    status = int(server.recv(16))
    if status < 0:
        import signal

        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def serve() -> None:
    """Serves until stdin ends. Returns in each run, which is then what its caller asked for."""
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
        here = os.path.dirname(os.path.abspath(__file__))
        script.write(f"#!{sys.executable} -IS\nimport sys\nsys.path.insert(0, {here!r})\n")
        script.write(f"import forking\nforking.ask({folder!r})\n")
    os.chmod("tsoft", 0o700)
    print(folder, flush=True)
    # The keepers are waited for by nobody.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while 0 not in select.select([0, listener.fileno()], [], [])[0]:
        asker, _ = listener.accept()
        if not os.fork():
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if run := os.fork():
                status = os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])
                asker.send(b"%d" % status)
                os._exit(0)
            signal.alarm(LONGEST)
            _become(asker)
            return
        asker.close()
    shutil.rmtree(folder)
    os._exit(0)


def _become(asker: _socket.socket) -> None:
    """Takes over the streams, folder, environment and arguments of who asks."""
    _, [(_, _, sent)], *_ = asker.recvmsg(1, _socket.CMSG_SPACE(4 * len(STREAMS)))
    request = b""
    while part := asker.recv(1 << 16):
        request += part
    asker.close()
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
        started = getattr(sys, name)
        # As the interpreter opens them: stderr by lines, the others by what they are.
        mode, buffering = "w" if stream else "r", 1 if name == "stderr" else -1
        opened = os.fdopen(stream, mode, buffering, started.encoding, started.errors, closefd=False)
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)


def _imports() -> None:
    """Imports what runs import, but what takes long and is tested where it really starts."""
    import importlib
    import pkgutil

    import tsoft

    unlike = ("tsoft.explorer", "tsoft.models")
    for module in pkgutil.walk_packages(tsoft.__path__, "tsoft."):
        if not module.name.startswith(unlike):
            importlib.import_module(module.name)
    for name in ("numpy.random", "orjson", "plotext", "rich.progress"):
        importlib.import_module(name)


if __name__ == "__main__":
    _imports()
    serve()
    from tsoft.__main__ import main

    main()
