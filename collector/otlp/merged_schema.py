"""Pure: second schemas of OTLP's bytes, in which the C parser answers a question by merging.

A message that OTLP repeats is declared once there: Protobuf merges what comes again, so that no
message is made for each span or attribute, and one look at the merged one is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_Field = descriptor_pb2.FieldDescriptorProto
_LABELS: Final = {"*": _Field.LABEL_REPEATED, "!": _Field.LABEL_REQUIRED}
NAMES: Final = "names"

# {message: {field number: type}}, where a type is a message of the schema, or one of Protobuf's:
# behind * it gathers each value, behind ! a message without it is not "initialized". NAMES is a
# list of attributes as a map, which has each name a single time.
Schema = Mapping[str, Mapping[int, str]]


def merged_classes(package: str, schema: Schema) -> Mapping[str, type[Message]]:
    """Return the class of each message of a schema; field 5 is the attribute `f5`."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto2"
    )
    for name, fields in schema.items():
        message = file.message_type.add(name=name)
        for number, kind in fields.items():
            label = _LABELS.get(kind[0], _Field.LABEL_OPTIONAL)
            field = message.field.add(name=f"f{number}", number=number, label=label)
            if kind in schema:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
            elif kind == NAMES:
                field.type, field.label = _Field.TYPE_MESSAGE, _Field.LABEL_REPEATED
                field.type_name = f".{package}.{name}.{_add_entry(message, number)}"
            else:
                field.type = _Field.Type.Value(f"TYPE_{kind.lstrip('*!').upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    classes = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in schema}
    return {name: message_factory.GetMessageClass(each) for name, each in classes.items()}


def _add_entry(message: descriptor_pb2.DescriptorProto, number: int) -> str:
    """Add what a map of attributes is made of; return its name, which Protobuf prescribes."""
    entry = message.nested_type.add(name=f"F{number}Entry")
    entry.options.map_entry = True
    for part, field_number, kind in (
        ("key", 1, _Field.TYPE_STRING),
        ("value", 2, _Field.TYPE_BYTES),
    ):
        entry.field.add(name=part, number=field_number, type=kind, label=_Field.LABEL_OPTIONAL)
    return entry.name
