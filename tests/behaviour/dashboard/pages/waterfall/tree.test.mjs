// Which rows are shown: whatever is folded or filtered, a row stands under what called it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { numbers, waterfall } from "./load.mjs";

const { tree } = waterfall("tree");

function drawn(seed, most = 40) {
  const below = numbers(seed);
  const depth = [];
  for (let row = 0, rows = below(most); row < rows; row += 1) {
    depth.push(row ? below(depth[row - 1] + 2) : 0);
  }
  const model = { size: depth.length, depth, end: tree.ends(depth), parent: tree.parents(depth) };
  return { below, model };
}

test("ends and parents of a small tree", () => {
  const depth = [0, 1, 2, 1, 0];
  assert.deepEqual([...tree.ends(depth)], [4, 3, 3, 4, 5]);
  assert.deepEqual([...tree.parents(depth)], [-1, 0, 1, 0, -1]);
  assert.deepEqual([...tree.ends([])], []);
});

test("what lies between a row and its end is deeper than it, and hangs under it", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const { model } = drawn(seed);
    for (let row = 0; row < model.size; row += 1) {
      for (let under = row + 1; under < model.end[row]; under += 1) {
        assert.ok(model.depth[under] > model.depth[row]);
      }
      assert.ok(model.end[row] === model.size || model.depth[model.end[row]] <= model.depth[row]);
      const up = model.parent[row];
      assert.ok(up === -1 ? model.depth[row] === 0 : up < row && row < model.end[up]);
    }
  }
});

test("folded rows hide what is under them and nothing else", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const { below, model } = drawn(seed);
    const folded = new Set(Array.from({ length: below(6) }, () => below(model.size || 1)));
    const shown = [...tree.shown(model, folded, null)];
    for (let row = 0; row < model.size; row += 1) {
      let isHidden = false;
      for (let up = model.parent[row]; up >= 0; up = model.parent[up]) {
        isHidden ||= folded.has(up);
      }
      assert.equal(shown.includes(row), !isHidden);
    }
  }
});

test("a filter keeps what it finds and all that it hangs under", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const { below, model } = drawn(seed);
    const found = new Set(Array.from({ length: below(5) }, () => below(model.size || 1)));
    const marks = tree.kept(model, (row) => found.has(row));
    const shown = tree.shown(model, new Set(), marks);
    for (const row of shown) {
      assert.ok(model.parent[row] === -1 || shown.includes(model.parent[row]));
      assert.equal(marks[row], found.has(row) ? 2 : 1);
    }
    assert.equal(marks.filter((mark) => mark === 2).length, [...found].filter((row) => row < model.size).length);
  }
});

test("no filter keeps all", () => assert.equal(tree.kept({ size: 3 }, null), null));

test("the place of a hidden row is that of what it hangs under", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const { below, model } = drawn(seed);
    const folded = new Set([below(model.size || 1)]);
    const shown = tree.shown(model, folded, null);
    for (let row = 0; row < model.size; row += 1) {
      const at = shown[tree.placeOf(model, shown, row)];
      assert.ok(at === row || (at < row && row < model.end[at]));
    }
  }
  assert.equal(tree.placeOf({ parent: [] }, new Int32Array(0), 0), 0);
});

test("rows in sight cover the view and no more than a row beside it", () => {
  assert.deepEqual(tree.inSight(0, 100, 30, 10), [0, 4]);
  assert.deepEqual(tree.inSight(45, 100, 30, 10), [1, 5]);
  assert.deepEqual(tree.inSight(0, 100, 30, 2), [0, 2]);
  assert.deepEqual(tree.inSight(290, 100, 30, 10), [9, 10]);
});
