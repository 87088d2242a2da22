"""Pure: which attribute names a request has, found by the C parser alone.

A second schema, made from that of OTLP, says of every repeated message that it is there once, and
of attributes that they are a map. Protobuf merges what is there more than once, so that all spans
of a request become one span whose map has each name a single time: 0.4 us a span, whatever the
number of rules. To look for 80 names in the bytes costs many times that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.otlp.check import Signal

_PACKAGE: Final = "millworth.names"
_Field = descriptor_pb2.FieldDescriptorProto


@cache
def places_in(descriptor: Descriptor) -> frozenset[str]:
    """Return the names of the messages with attributes that a message is or holds."""
    if descriptor is AnyValue.DESCRIPTOR:
        return frozenset()  # what is inside a value is no place of its own
    here = {descriptor.name} if any(map(is_attributes, descriptor.fields)) else set[str]()
    inside = [places_in(field.message_type) for field in descriptor.fields if _is_child(field)]
    return frozenset(here.union(*inside))


def is_attributes(field: FieldDescriptor) -> bool:
    """Return whether a field is a list of attributes."""
    return field.message_type is KeyValue.DESCRIPTOR


def names_by_place(signal: Signal, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """Yield each place that has attributes, such as Span or Resource, and their distinct names.

    Names inside a value are not seen; `collector.otlp.values.has_deep_values` tells of those.

    Raises:
        google.protobuf.message.DecodeError, UnicodeDecodeError: not a request of this signal.
    """
    yield from _names(_CLASSES[signal].FromString(body))


def _names(merged: Message) -> Iterator[tuple[str, list[str]]]:
    for field in merged.DESCRIPTOR.fields:
        if field.is_repeated:
            names: list[str | bytes] = list(getattr(merged, field.name))
            # The parser gives the bytes of a key that is no UTF-8, where it refuses such a text.
            yield (
                merged.DESCRIPTOR.name,
                [name if isinstance(name, str) else name.decode() for name in names],
            )
        elif merged.HasField(field.name):
            yield from _names(getattr(merged, field.name))


def _is_child(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE and not is_attributes(field)


def _add(file: descriptor_pb2.FileDescriptorProto, descriptor: Descriptor) -> None:
    """Add a message and those in it to the second schema."""
    if any(message.name == descriptor.name for message in file.message_type):
        return
    message = file.message_type.add(name=descriptor.name)
    for field in descriptor.fields:
        if is_attributes(field):
            _add_map(message, field)
        elif (child := field.message_type) is not None and places_in(child):
            message.field.add(
                name=field.name,
                number=field.number,
                type=_Field.TYPE_MESSAGE,
                type_name=f".{_PACKAGE}.{child.name}",
                label=_Field.LABEL_OPTIONAL,
            )
            _add(file, child)


def _add_map(message: descriptor_pb2.DescriptorProto, field: FieldDescriptor) -> None:
    name = f"{field.name.capitalize()}Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    for part, number, kind in (("key", 1, _Field.TYPE_STRING), ("value", 2, _Field.TYPE_BYTES)):
        entry.field.add(name=part, number=number, type=kind, label=_Field.LABEL_OPTIONAL)
    message.field.add(
        name=field.name,
        number=field.number,
        type=_Field.TYPE_MESSAGE,
        type_name=f".{_PACKAGE}.{message.name}.{name}",
        label=_Field.LABEL_REPEATED,
    )


def _classes() -> Mapping[Signal, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="millworth/names.proto", package=_PACKAGE, syntax="proto2"
    )
    for signal in Signal:
        _add(file, signal.request_class.DESCRIPTOR)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        signal: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{signal.request_class.DESCRIPTOR.name}")
        )
        for signal in Signal
    }


_CLASSES: Final = _classes()
