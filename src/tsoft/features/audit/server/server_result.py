"""The result of the audit of a server: the findings, and all probes, from which the audit can be made again."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tsoft.errors import InputError
from tsoft.features.audit.drawn_counts import drawn_counts
from tsoft.features.audit.draws_file import NO_DRAWS
from tsoft.features.audit.requested import Requested
from tsoft.features.audit.result import AuditResult
from tsoft.features.audit.server.probe_file import is_probes, probes_json, read_probes
from tsoft.features.audit.server.prober import INTERRUPTED
from tsoft.features.audit.server.probes import ServerProbes
from tsoft.features.audit.server.server_findings import ServerAudit
from tsoft.input.json_values import parsed_json
from tsoft.input.limits import read_limited
from tsoft.input.read_options import ReadOptions
from tsoft.input.source import STDIN, open_input

_MAX_BYTES = 1 << 30
_CTRL_C = 130


@dataclass(frozen=True, eq=False, kw_only=True)
class ServerResult(AuditResult):
    """The report of the audit of a server. JSON also has the `probes`."""

    probes: ServerProbes

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, otherwise that of the findings."""
        return _CTRL_C if self.probes.ended == INTERRUPTED else super().exit_code

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        for batch in super().objects():
            yield [{**fields, **probes_json(self.probes)} for fields in batch]


def server_result(
    probes: ServerProbes, requested: Requested, level: float, tolerance: float, rows: int
) -> ServerResult:
    """Return the result of the probes of a server. A table shows `rows` rows."""
    audit = ServerAudit(probes, requested, level, tolerance)
    counts = [] if audit.draws is None else list(drawn_counts(audit.draws))
    return ServerResult(audit.report, counts, rows, probes=probes)


def read_probes_file(file: str) -> ServerProbes:
    """Return the probes that an audit has written as JSON. Raise InputError."""
    source = STDIN if file == "-" else file
    with open_input(file) as stream:
        data = read_limited(stream, _MAX_BYTES, source, "file of probes")
    if data.lstrip()[:1] not in (b"[", b"{"):
        raise InputError(f"{source}: {NO_DRAWS}")
    value = parsed_json(data, ReadOptions(source), 1)
    # The writer of records makes an array of objects.
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not is_probes(value):
        raise InputError(f"{source}: {NO_DRAWS}")
    return read_probes(value, source)
