// The files of the waterfall as the browser has them: each adds its part to one object.
import { createRequire } from "node:module";

const ASSETS = "../../../../../dashboard/web/assets/waterfall/";
const load = createRequire(import.meta.url);

export function waterfall(...files) {
  files.forEach((file) => load(ASSETS + file + ".js"));
  return globalThis.Waterfall;
}

// Numbers that look random and are the same at each run.
export function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
