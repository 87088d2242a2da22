// The columns as rows, and a row in words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { waterfall } from "./load.mjs";

const { keys, minimap, model, scale, words } = waterfall(
  "words", "tree", "scale", "model", "keys", "rows", "minimap",
);

function columns(changes = {}) {
  return {
    names: ["POST /decide", "<script>alert(1)</script>", "a\u202eb\nc"],
    services: ["edge", "cart"],
    kinds: ["Server", "Client"],
    stages: ["ingress", "transform", "decision", "egress"],
    classes: ["network", "compute", "store", "untraced"],
    trace_ids: ["t"],
    gaps: [{ span_id: "c", what: "answer", reason: "late", detail: "" }],
    spans: {
      span_id: ["a", "b", "c"], trace_id: [0, 0, 0], name: [0, 1, 2], service: [0, 1, 1],
      kind: [0, 1, 1], stage: [2, 2, -1], latency_class: [1, 2, -1], depth: [0, 1, 1],
      start_ns: [0, 2e6, -1e6], duration_ns: [9e6, 3e6, 0], self_ns: [6e6, 3e6, 0],
      shift_ns: [0, 0, 5e5], clock_bound_ns: [0, null, 2e6], is_error: [0, 1, 0],
      is_missing: [0, 0, 0], gap: [-1, -1, 0], sections: [2, 1, 0],
    },
    sections: { from_ns: [0, 5e6, 2e6], to_ns: [2e6, 9e6, 5e6] },
    exchanges: { row: [1], packets: [2] },
    packets: { at_ns: [2e6, 5e6] },
    evidence: { row: [1], rtt_ns: [4e5], retransmission_ns: [0], zero_window_ns: [0] },
    ...changes,
  };
}

test("each row finds its own sections, exchanges and evidence", () => {
  const found = model.of(columns());
  assert.deepEqual([...found.sectionsAt], [0, 2, 3, 3]);
  assert.deepEqual(found.exchangesOf.get(1), [0]);
  assert.equal(found.exchangesOf.get(0), undefined);
  assert.deepEqual(model.proven(found, 1), { rtt: 4e5, retransmission: 0, zeroWindow: 0 });
  assert.equal(model.segment(found, 1), "decision/store");
  assert.equal(model.segment(found, 2), "");
});

test("no span is no error", () => {
  const none = Object.fromEntries(Object.keys(columns().spans).map((name) => [name, []]));
  const found = model.of(columns({ spans: none, exchanges: { row: [], packets: [] } }));
  assert.equal(found.size, 0);
});

test("what turns text around or is not seen is shown as a mark", () => {
  const found = model.of(columns());
  assert.equal(model.name(found, 2), "a\ufffdb\ufffdc");
  assert.equal(model.name(found, 1), "<script>alert(1)</script>");
});

test("a stack trace keeps its lines, and nothing in them turns text around", () => {
  assert.equal(words.lines("Error: a\u202eb\r\n\tat f (x.js:1)\n\u0000"), "Error: a\ufffdb\n  at f (x.js:1)\n\ufffd");
});

test("a row in words says how long, where from, whether it failed, and what is missing", () => {
  const found = model.of(columns());
  assert.equal(
    model.said(found, 1),
    "<script>alert(1)</script>, cart, decision/store, 3.0 ms from 2.0 ms, on the critical path 3.0 ms, failed, 1 exchange on the wire",
  );
  const other = model.said(found, 2);
  for (const part of ["off the critical path", "shown 500.0 µs later than sent: clocks differ", "its clock may be wrong by 2.0 ms", "no answering span: late"]) {
    assert.ok(other.includes(part), part);
  }
});

test("a clock that runs ahead moves its spans to earlier", () => {
  const found = model.of(columns());
  found.spans.shift_ns[2] = -2e6;
  assert.equal(model.shift(found, 2), "shown 2.0 ms earlier than sent");
  assert.equal(model.shift(found, 0), "");
});

test("filters by name, service, length and path, in any case", () => {
  const found = model.of(columns());
  const rows = (wanted) => [0, 1, 2].filter(model.matcher(found, wanted));
  assert.equal(model.matcher(found, { text: "  " }), null);
  assert.deepEqual(rows({ text: "DECIDE" }), [0]);
  assert.deepEqual(rows({ text: "cart" }), [1, 2]);
  assert.deepEqual(rows({ leastNs: 3e6 }), [0, 1]);
  assert.deepEqual(rows({ pathOnly: true, text: "cart" }), [1]);
});

test("lengths of time in the unit that suits", () => {
  assert.deepEqual(
    [0, 640, 12_300, 66e6, 12_340e6].map(words.took),
    ["0 ns", "640 ns", "12.3 µs", "66.0 ms", "12.34 s"],
  );
});

test("a name of any length is cut to its room", () => {
  const widthOf = (text) => text.length * 7;
  assert.equal(words.fit("short", 100, widthOf), "short");
  const cut = words.fit("x".repeat(10_000), 70, widthOf);
  assert.equal(cut, "x".repeat(9) + "…");
  assert.equal(words.fit("anything", 3, widthOf), "");
});

test("keys have their commands, and those of the browser are its own", () => {
  assert.equal(keys.command({ key: "ArrowDown" }), "down");
  assert.equal(keys.command({ key: "ArrowRight", shiftKey: true }), "panRight");
  assert.equal(keys.command({ key: "f", ctrlKey: true }), "");
  assert.equal(keys.command({ key: "q" }), "");
});

test("the window on the map is moved by its middle and made wider by its edges", () => {
  const whole = scale.whole(0, 100e6);
  const view = { mapScale: whole, scale: scale.within(whole, 20e6, 40e6), left: 0, right: 1000 };
  const x = (ns) => scale.x(whole, ns, 0, 1000);
  assert.equal(minimap.grip(view, x(40e6)), "move");
  assert.equal(minimap.grip(view, x(20e6) + 1), "from");
  assert.equal(minimap.grip(view, x(60e6) - 1), "to");
  assert.equal(minimap.grip(view, x(90e6)), "bring");
  const moved = minimap.dragged(view, { px: 500, scale: view.scale, grip: "move" }, 600);
  assert.ok(moved.from > view.scale.from && Math.abs(moved.to - moved.from - 40e6) < 1);
  const wider = minimap.dragged(view, { px: 500, scale: view.scale, grip: "to" }, 600);
  assert.ok(wider.from === view.scale.from && wider.to > view.scale.to);
});
