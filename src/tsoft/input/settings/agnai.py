"""The order of the samplers in a preset of Agnai, whose numbers depend on the service.

The rules are those of common/sampler-order.ts, srv/adapter/kobold.ts and srv/adapter/payloads.ts.
"""

from collections.abc import Mapping
from typing import Any

from tsoft.input.settings.field_values import number_or_none

# The names that stand for numbers in an order.
_SAMPLERS = {
    "kobold": ("topK", "topA", "topP", "tailFreeSampling", "typicalP", "temp", "repetitionPenalty"),
    "novel": ("temp", "topK", "topP", "tailFreeSampling", "topA", "typicalP", "cfgScale", "topG", "mirostatTau"),
}
_FIELDS = ("order", "disabledSamplers")


def with_agnai_order(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an object; those of a preset of Agnai with the order that its service receives.

    >>> with_agnai_order({"service": "kobold", "order": "3,topP", "disabledSamplers": [3]})
    {'service': 'kobold', 'sampler_order': [2, 0, 1, 3, 4, 5, 6]}
    >>> with_agnai_order({"service": "novel", "order": [3, 2], "disabledSamplers": "3"})
    {'service': 'novel', 'order': [2]}
    """
    service = fields.get("service")
    if not isinstance(service, str):
        return fields
    fields = {"temperature_last" if name == "tempLast" else name: value for name, value in fields.items()}
    if "order" not in fields:
        return fields
    others = {name: value for name, value in fields.items() if name not in _FIELDS}
    # The service kobold stands for any server, in this format.
    if service == "kobold" and fields.get("thirdPartyFormat", service) not in ("kobold", "koboldcpp"):
        return others
    if service not in _SAMPLERS:
        return others
    disabled = _numbers(fields.get("disabledSamplers"), _SAMPLERS[service])
    order = [number for number in _numbers(fields["order"], _SAMPLERS[service]) if number not in disabled]
    if service == "novel":
        return {**others, "order": order}
    if len(order) != 6:
        order += [number for number in range(len(_SAMPLERS[service])) if number not in order]
    return {**others, "sampler_order": order}


def _numbers(value: Any, samplers: tuple[str, ...]) -> list[Any]:
    """Return the numbers in a list, or in a text with numbers or names between commas. Agnai skips other names."""
    if not isinstance(value, str):
        return value if isinstance(value, list) else []
    found: Mapping[str, int] = {name: i for i, name in enumerate(samplers)}
    elements = [(element, number_or_none(element)) for element in value.split(",")]
    return [
        found[element] if number is None else int(number) if number.is_integer() else number
        for element, number in elements
        if number is not None or element in found
    ]
