// Time and pixels: a window of time never leaves what there is, and a zoom stays where it points.
import assert from "node:assert/strict";
import { test } from "node:test";
import { numbers, waterfall } from "./load.mjs";

const { scale } = waterfall("words", "scale");
const MS = 1e6;

function isInside(window) {
  assert.ok(window.from >= window.least - 1e-6 && window.to <= window.most + 1e-6, JSON.stringify(window));
  assert.ok(window.to > window.from);
}

test("pixels and instants are each other's inverse", () => {
  const all = scale.whole(-5 * MS, 100 * MS);
  for (const at of [-5 * MS, 0, 33.3 * MS, 100 * MS]) {
    assert.ok(Math.abs(scale.ns(all, scale.x(all, at, 200, 900), 200, 900) - at) < 1e-3);
  }
});

test("whatever is zoomed and panned, the window stays inside", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const below = numbers(seed);
    let window = scale.whole(0, 1 + below(1e9));
    for (let step = 0; step < 30; step += 1) {
      const at = window.from + (below(1000) / 1000) * (window.to - window.from);
      window = below(2) ? scale.zoom(window, 0.2 + below(50) / 10, at) : scale.pan(window, (below(400) - 200) / 100);
      isInside(window);
    }
  }
});

test("what is pointed at stays where it is while zooming in", () => {
  const all = scale.whole(0, 100 * MS);
  const at = 40 * MS;
  const near = scale.zoom(all, 0.5, at);
  assert.ok(Math.abs(scale.x(near, at, 0, 1000) - scale.x(all, at, 0, 1000)) < 1e-6);
  assert.ok(scale.isFit(scale.fit(near)) && !scale.isFit(near));
});

test("a decision of no duration has a window too", () => {
  const window = scale.whole(0, 0);
  isInside(window);
  isInside(scale.zoom(window, 0.001, 0));
  assert.ok(scale.ticks(window, 800).length > 0);
});

test("ticks are inside, evenly apart, and each has a name of its own", () => {
  for (const [from, to] of [[0, 100 * MS], [-3 * MS, 9 * MS], [10 * MS, 10.0004 * MS], [0, 60_000 * MS]]) {
    const window = { from, to, least: from, most: to };
    const ticks = scale.ticks(window, 900);
    assert.ok(ticks.length >= 2 && ticks.length <= 12, String(ticks.length));
    assert.equal(new Set(ticks.map((tick) => tick.text)).size, ticks.length);
    for (const tick of ticks) {
      assert.ok(tick.ns >= from && tick.ns <= to);
      assert.ok(Math.abs(Number(tick.text.replaceAll(",", "")) * MS - tick.ns) < (to - from) / 1000);
    }
  }
});

test("a chosen span out of sight is brought into it, one in sight moves nothing", () => {
  const all = scale.whole(0, 10_000 * MS);
  assert.equal(scale.show(all, 100 * MS, 100 * MS), all);
  const near = scale.within(all, 0, 50 * MS);
  const moved = scale.show(near, 900 * MS, 900 * MS);
  assert.ok(moved.from < 900 * MS && moved.to > 900 * MS);
  assert.ok(Math.abs(moved.to - moved.from - (near.to - near.from)) < 1);
});
