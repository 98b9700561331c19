"""The protobuf messages of a `.wandb` file, described here by their field numbers, and decoded to plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet


class Written(NamedTuple):
    """A key's path and its value as JSON: an item of history, config, summary or system metrics.

    Most of a file are these; a dict for each takes twice the time.
    """

    path: tuple[str, ...]
    json: str


Plain: TypeAlias = "bool | int | float | str | Written | list[Plain] | dict[str, Plain]"
"""A decoded field. A message is a dict of the fields that it has; a time is a message of seconds and nanos."""

_PACKAGE: Final = "runql.offline"
_SCALARS: Final = {
    "text": FieldDescriptorProto.TYPE_STRING,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "sint64": FieldDescriptorProto.TYPE_SINT64,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
}

_ITEM: Final = "1 key text, 2 nested_key *text, 16 value_json text"
_FLAGS: Final = ", ".join(f"{number} {number} bool" for number in range(1, 200))

# Number, name, type; a star before the type marks a repeated field, and other types are messages below.
_FIELDS: Final[Mapping[str, str]] = {
    "Record": "1 num int64, 2 history History, 3 summary Changes, 4 output Output, 5 config Changes, "
    "6 files Files, 7 stats Stats, 8 artifact Artifact, 9 tbrecord Empty, 10 alert Empty, 11 telemetry Telemetry, "
    "12 metric Metric, 13 output_raw Output, 17 run Run, 18 exit Exit, 20 final Empty, 21 header Header, "
    "22 footer Empty, 23 preempting Empty, 24 noop_link_artifact Empty, 25 use_artifact UseArtifact, "
    "26 environment Environment, 27 output_logger OutputLogger, 100 request Empty, "
    "16 control Empty, 19 uuid text, 200 info Empty",
    "Empty": "",
    "Time": "1 seconds int64, 2 nanos int32",
    "Header": "1 version_info Version",
    "Version": "1 producer text, 2 min_consumer text",
    "Run": "1 run_id text, 2 entity text, 3 project text, 4 config Changes, 5 summary Changes, 6 run_group text, "
    "7 job_type text, 8 display_name text, 9 notes text, 10 tags *text, 12 sweep_id text, 13 host text, "
    "14 starting_step int64, 16 storage_id text, 17 start_time Time, 18 resumed bool, 19 telemetry Telemetry, "
    "20 runtime int32, 21 git Git, 22 forked bool, 23 branch_point BranchPoint, 24 resume bool",
    "Git": "1 remote text, 2 commit text",
    "BranchPoint": "1 run text, 2 value double, 3 metric text",
    "Exit": "1 exit_code int32, 2 runtime int32, 3 not_complete bool",
    "Changes": "1 update *Item, 2 remove *Item",
    "Item": _ITEM,
    "History": "1 item *HistoryItem, 2 step Step",
    "HistoryItem": f"{_ITEM}, 3 none int32, 4 boolean bool, 5 integer sint64, 6 number double, 7 text text, 8 json text",
    "Step": "1 num int64",
    "Output": "1 output_type int32, 2 timestamp Time, 3 line text",
    "OutputLogger": "1 line text",
    "Metric": "1 name text, 2 glob_name text, 4 step_metric text, 5 step_metric_index int32, 6 options Flags, "
    "7 summary Flags, 8 goal int32, 9 control MetricControl, 10 expanded_from_glob bool",
    "MetricControl": "1 overwrite bool",
    "Files": "1 files *File",
    "File": "1 path text, 2 policy int32, 3 type int32",
    "Stats": "1 stats_type int32, 2 timestamp Time, 3 item *Item",
    "Telemetry": "1 1 Flags, 2 2 Flags, 3 3 Flags, 4 4 text, 5 5 text, 6 6 text, 8 8 Flags, 9 9 Labels, 10 10 Flags, "
    "12 12 text, 13 13 text",
    "Flags": _FLAGS,
    "Labels": "1 1 text, 2 2 text, 3 3 text",
    "UseArtifact": "1 id text, 2 type text, 3 name text",
    "Artifact": "1 run_id text, 2 project text, 3 entity text, 4 type text, 5 name text, 6 digest text, "
    "7 description text, 8 metadata text, 9 user_created bool, 10 use_after_commit bool, 11 aliases *text, "
    "12 manifest Manifest, 13 distributed_id text, 14 finalize bool, 15 client_id text, 16 sequence_client_id text, "
    "17 base_id text, 18 ttl_duration_seconds int64, 19 tags *text, 20 digest_algorithm text",
    "Manifest": "1 version int32, 2 storage_policy text, 3 storage_policy_config *Pair, 4 contents *Entry, "
    "5 manifest_file_path text",
    "Entry": "1 path text, 2 digest text, 3 ref text, 4 size int64, 5 mimetype text, 6 local_path text, "
    "7 birth_artifact_id text, 8 skip_cache bool, 16 extra *Pair",
    "Pair": "1 key text, 2 value_json text",
    # As the SDK's JSON names them, since this message becomes `wandb-metadata.json`.
    "Environment": "1 os text, 2 python text, 3 startedAt Time, 4 docker text, 5 args *text, 6 program text, "
    "7 codePath text, 8 codePathLocal text, 9 git Git, 10 email text, 11 root text, 12 host text, 13 username text, "
    "14 executable text, 15 colab text, 16 cpu_count uint32, 17 cpu_count_logical uint32, 18 gpu text, "
    "19 gpu_count uint32, 20 disk *DiskEntry, 21 memory Memory, 22 cpu Cpu, 23 apple Apple, 24 gpu_nvidia *Nvidia, "
    "25 cudaVersion text, 26 gpu_amd *Amd, 27 slurm *SlurmEntry, 28 trainium Trainium, 29 tpu Tpu, "
    "30 coreweave CoreWeave, 199 writerId text",
    "DiskEntry": "1 key text, 2 value Disk",
    "SlurmEntry": "1 key text, 2 value text",
    "Disk": "1 total uint64, 2 used uint64",
    "Memory": "1 total uint64",
    "Cpu": "1 count uint32, 2 countLogical uint32, 3 model text",
    "Apple": "1 name text, 2 ecpuCores uint32, 3 pcpuCores uint32, 4 gpuCores uint32, 5 memoryGb uint32, "
    "6 swapTotalBytes uint64, 7 ramTotalBytes uint64, 8 macModel text",
    "Nvidia": "1 name text, 2 memoryTotal uint64, 3 cudaCores uint32, 4 architecture text, 5 uuid text, "
    "6 pciBusId text, 7 numaNode uint32",
    "Amd": "1 id text, 2 uniqueId text, 3 vbiosVersion text, 4 performanceLevel text, 5 gpuOverdrive text, "
    "6 gpuMemoryOverdrive text, 7 maxPower text, 8 series text, 9 model text, 10 vendor text, 11 sku text, "
    "12 sclkRange text, 13 mclkRange text",
    "Trainium": "1 name text, 2 vendor text, 3 neuronDeviceCount uint32, 4 neuroncorePerDeviceCount uint32",
    "Tpu": "1 name text, 2 hbmGib uint32, 3 devicesPerChip uint32, 4 count uint32",
    "CoreWeave": "1 clusterName text, 2 orgId text, 3 region text",
}
_ONE_OF: Final = frozenset({"none", "boolean", "integer", "number", "text", "json"})
"""Fields of a history item of which one is set; protobuf then says which, even for a zero."""
_ITEMS: Final = frozenset({"Item", "HistoryItem"})
_SINGLE: Final = (str, int, float)
_HELD: Final = frozenset({"num", "control", "uuid", "info"})
"""Fields of every record, beside the one that says its kind."""


@dataclass(frozen=True)
class Record:
    """One record: its kind, such as ``history``, and its fields.

    A record of a kind that runql does not know has the kind ``""``, and ``unknown`` names its field numbers.
    """

    kind: str
    fields: dict[str, Plain] = field(default_factory=dict[str, Plain])
    unknown: tuple[int, ...] = ()


class _ItemMessage(Message):
    """An `Item` or a `HistoryItem`, for the type checkers."""

    key: str
    nested_key: Sequence[str]
    value_json: str


class UndecodableError(ValueError):
    """Bytes with a right checksum that are no message."""


def decode(data: bytes) -> Record:
    """Decode the bytes of one record.

    Raises:
        UndecodableError: they are no message.
    """
    message = record_class()()
    try:
        message.ParseFromString(data)
        content = _plain(message)
    except (DecodeError, ValueError, RecursionError) as error:
        raise UndecodableError(f"the record is no message: {error}") from error
    others = UnknownFieldSet(message)
    unknown = tuple(others[place].field_number for place in range(len(others)))
    kinds = [name for name in content if name not in _HELD]
    if len(kinds) != 1:
        return Record("", unknown=unknown)
    found = content[kinds[0]]
    return Record(kinds[0], found if isinstance(found, dict) else {}, unknown)


@cache
def record_class() -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(name="runql_offline.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for described in filter(None, fields.split(", ")):
            number, label, kind = described.split(" ")
            _add_field(message, int(number), label, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Record"))


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, label: str, kind: str) -> None:
    repeated, kind = kind.startswith("*"), kind.removeprefix("*")
    # A name that is a number becomes one that protobuf accepts; `_plain` gives the number back.
    added = message.field.add(name=f"n{label}" if label.isdecimal() else label, number=number)
    added.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    added.json_name = label
    if message.name == "HistoryItem" and label in _ONE_OF:
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        added.oneof_index = 0
    if kind in _SCALARS:
        added.type = _SCALARS[kind]
        return
    added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"


def _plain(message: Message) -> dict[str, Plain]:
    content: dict[str, Plain] = {}
    for described, value in message.ListFields():
        # What is neither a message nor a single value is a container of a repeated field.
        if isinstance(value, _SINGLE):
            content[described.json_name] = value
        elif isinstance(value, Message):
            content[described.json_name] = _plain(value)
        elif described.message_type is None:
            content[described.json_name] = list(value)
        elif described.message_type.name in _ITEMS:
            content[described.json_name] = [_item(each) for each in value]
        else:
            content[described.json_name] = [_plain(each) for each in value]
    return content


def _item(message: _ItemMessage) -> Written:
    # Reading fields by name takes half the time of listing all.
    at = (*message.nested_key,) or (message.key,)
    return Written(at, message.value_json or _typed_value(message))


def _typed_value(message: _ItemMessage) -> str:
    """Return the JSON of a history item whose value is in one of several typed fields, or an empty string."""
    for described, value in message.ListFields():
        if described.name == "json":
            return str(value)
        if described.name in _ONE_OF:
            return json.dumps(None if described.name == "none" else value)
    return ""
