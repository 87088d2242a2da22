"""Pure: files of other tools, whichever they are of, to rules of kind `slo` and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from alerts.rules.imports import openslo, prometheus, pyrra, sloth
from alerts.rules.imports.documents import read_documents
from alerts.rules.imports.expression import Reading
from alerts.rules.imports.found import Found, Refused
from alerts.rules.slo import SloConfig
from collector.core.errors import InputError

FILES_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file of rules."""

    name: str
    text: str


def read_rules(
    files: Iterable[RuleFile], service: str = "", taken: Iterable[str] = ()
) -> list[Found]:
    """Return every rule and SLO of files, mapped or refused, in their order.

    Args:
        files: of Prometheus, Sloth, Pyrra or OpenSLO; objects of OpenSLO may refer to one another.
        service: of rules that name none.
        taken: names of rules that there are already; an imported one gets a number.

    Raises:
        InputError: a file is not YAML, or holds nothing that any of the four tools writes.
    """
    read = [(file.name, list(_flat(read_documents(file.name, file.text)))) for file in files]
    if len(read) > FILES_MAX:
        raise InputError(f"{len(read)} files are more than {FILES_MAX}; import them in parts")
    everything = [document for _, documents in read for document in documents]
    records = [record for document in everything for record in prometheus.records_of(document)]
    named = openslo.named_objects(everything)
    reading = Reading(service=service)
    found: list[Found] = []
    for name, documents in read:
        own = replace(
            reading,
            records=[each for document in documents for each in prometheus.records_of(document)]
            or records,
        )
        known = 0
        for document in documents:
            rules = _rules_of(name, document, own, named)
            if rules is not None:
                known += 1
                found += rules
        if not known:
            raise InputError(
                f"{name}: is not a rule file of Prometheus, nor an SLO of Sloth, Pyrra or OpenSLO; "
                "give one with groups, slos, or a kind of these"
            )
    return list(_renamed(found, set(taken)))


def _flat(documents: Iterable[object]) -> Iterator[object]:
    """Yield documents, and the items of those that are lists of resources."""
    for document in documents:
        items = document.get("items") if isinstance(document, Mapping) else None
        if isinstance(items, list) and str(document.get("kind", "")).endswith("List"):  # type: ignore[attr-defined]  # a mapping, as items says
            yield from items
        else:
            yield document


def _rules_of(
    name: str, document: object, reading: Reading, named: openslo.Named
) -> list[Found] | None:
    """Return the rules of one document, None where it is of none of the tools."""
    if prometheus.groups_of(document) is not None:
        return list(prometheus.alerts_of(name, document, reading))
    if not isinstance(document, Mapping):
        return None
    if sloth.is_sloth(document):
        return list(sloth.slos_of(name, document, reading))
    if pyrra.is_pyrra(document):
        return [pyrra.slo_of(name, document, reading)]
    if openslo.is_openslo(document):
        return list(openslo.slos_of(name, document, replace(reading, counters=True), named))
    # Other resources of a cluster may lie beside in the file.
    return [] if "apiVersion" in document and "kind" in document else None


def _renamed(found: Iterable[Found], taken: set[str]) -> Iterator[Found]:
    """Yield what was found with a name of its own for each rule."""
    for each in found:
        if isinstance(each, Refused):
            yield each
            continue
        rules = []
        for rule in each.rules:
            renamed = _free(rule, taken)
            taken |= {part.name for part in renamed.by_severity}
            rules.append(renamed)
        yield replace(each, rules=tuple(rules))


def _free(rule: SloConfig, taken: set[str]) -> SloConfig:
    for number in count(1):
        name = rule.name if number == 1 else f"{rule.name}-{number}"
        candidate = rule.model_copy(update={"name": name})
        if not taken & {part.name for part in candidate.by_severity}:
            return candidate
    raise AssertionError("numbers do not end")
