"""Pure: the class and the stage of each span's self time.

Classes, first match wins: `latency.class` as sent; a rule of the config; then the semantic
conventions. A call to a store is store, with what its client does for it; where the store itself
sent spans, the call is network and what is below it store. Any other client call is network. What
runs in a process is compute, and so is a decision that began inside another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from attribution.core.config import ClassRule
from attribution.core.segments import CLASSES, COMPUTE, NETWORK, STORE
from attribution.path.assemble import Trees
from attribution.path.membership import Forest, nearest
from attribution.path.spans import (
    CLIENT,
    CONSUMER,
    INTERNAL,
    NONE,
    PRODUCER,
    SERVER,
    UNSPECIFIED,
    Bools,
    Ints,
    Small,
    Spans,
)


def rule_classes(rules: Sequence[ClassRule], labels: Sequence[tuple[str, str]]) -> Small:
    """Return the class that the first matching rule gives each (service, span name), or NONE."""
    compiled = [
        (re.compile(rule.service), re.compile(rule.span_name), CLASSES.index(rule.latency_class))
        for rule in rules
    ]
    return np.array(
        [
            next(
                (
                    code
                    for service, name, code in compiled
                    if service.search(label[0]) and name.search(label[1])
                ),
                NONE,
            )
            for label in labels
        ],
        np.int8,
    )


def kinds_by_place(spans: Spans, forest: Forest) -> Small:
    """Return the kind of each span, by its place where it names none.

    Entered from another service it is a server. Entered from its own, with all it waits for in
    others, it is the call to them. Anything else is internal. A trace of one span a service has
    servers only: nothing there tells a call from the work around it.
    """
    if not (spans.kind == UNSPECIFIED).any():
        return spans.kind
    row = forest.row
    above = forest.find(spans.trace[row], spans.parent_id[row])
    above[spans.parent_id[row] == 0] = NONE
    service = spans.service[row]
    has = np.flatnonzero(above >= 0)
    is_alike = service[above[has]] == service[has]
    children = np.bincount(above[has], minlength=len(row))
    alike = np.bincount(above[has][is_alike], minlength=len(row))
    kind = np.full(len(row), INTERNAL, np.int8)
    kind[has[is_alike & (children[has] > 0) & (alike[has] == 0)]] = CLIENT
    kind[has[~is_alike]] = SERVER
    kinds = spans.kind.copy()
    kinds[row] = np.where(spans.kind[row] == UNSPECIFIED, kind, spans.kind[row])
    return kinds


def classify(trees: Trees, spans: Spans, by_rule: Small) -> tuple[Small, Bools]:
    """Return the class of each span, and which client calls have an unseen other side.

    Args:
        trees: as assembled.
        spans: what the trees were assembled from.
        by_rule: the class by config of each label code, or NONE.
    """
    tree_spans = spans.take(trees.row)
    calls = (tree_spans.kind == CLIENT) | (tree_spans.kind == PRODUCER)
    child = np.flatnonzero(trees.parent >= 0)
    parent = trees.parent[child]
    has_remote = np.zeros(len(tree_spans), bool)
    has_remote[parent[np.isin(tree_spans.kind[child], (SERVER, CONSUMER))]] = True
    has_store_call = np.zeros(len(tree_spans), bool)
    has_store_call[parent[tree_spans.is_store[child] & (tree_spans.kind[child] == CLIENT)]] = True
    # At any depth below: what an ORM spends around its driver's spans is its own.
    for rows in reversed(trees.levels[1:]):
        has_store_call[trees.parent[rows[has_store_call[rows]]]] = True

    store_call = (tree_spans.kind == CLIENT) & tree_spans.is_store
    store_inside = (tree_spans.kind == INTERNAL) & tree_spans.is_store & ~has_store_call
    wire = calls | ((tree_spans.kind == CONSUMER) & tree_spans.is_receive)
    by_convention = np.where(
        store_inside | (store_call & ~has_remote), STORE, np.where(wire, NETWORK, COMPUTE)
    )
    by_convention[trees.is_inner] = COMPUTE
    # Below a call to a store all is store: what the store itself sent, and the client's own calls,
    # as of the library for HTTP that it uses. Of these the one that reached the store is the wire.
    beneath = nearest(trees.parent, np.where(store_call, 1, NONE)) > 0
    is_server = (trees.parent >= 0) & np.isin(tree_spans.kind, (SERVER, CONSUMER))
    is_clients = nearest(trees.parent, np.where(store_call, 1, np.where(is_server, 0, NONE))) > 0
    by_convention[beneath & ~(is_clients & (tree_spans.kind == CLIENT) & has_remote)] = STORE

    sent = tree_spans.latency_class
    ruled = by_rule[tree_spans.label] if len(by_rule) else np.full(len(tree_spans), NONE, np.int8)
    result = np.where(sent != NONE, sent, np.where(ruled != NONE, ruled, by_convention))
    is_opaque = (tree_spans.kind == CLIENT) & ~beneath & ~has_remote & ~trees.is_inner
    is_opaque &= (sent == NONE) & (ruled == NONE)
    return result.astype(np.int8), is_opaque


def sent_stages(trees: Trees, spans: Spans) -> Ints:
    """Return the stage that each span or its nearest ancestor says, NONE where the stamps decide.

    What the root itself says is left out: it would hide its own stamps.
    """
    stage = spans.stage[trees.row].astype(np.int64)
    return nearest(trees.parent, np.where(trees.parent < 0, NONE, stage))
