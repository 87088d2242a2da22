// Pure: which rows of a tree are shown. A tree is the depth of each row, parents before children.
(function (all) {
  // The row behind the last one under each row.
  function ends(depth) {
    const found = new Int32Array(depth.length);
    const waiting = [];
    for (let row = 0; row <= depth.length; row += 1) {
      while (
        waiting.length &&
        (row === depth.length || depth[row] <= depth[waiting[waiting.length - 1]])
      ) {
        found[waiting.pop()] = row;
      }
      waiting.push(row);
    }
    return found;
  }

  // The row above each row, -1 at the top.
  function parents(depth) {
    const found = new Int32Array(depth.length);
    const last = [];
    for (let row = 0; row < depth.length; row += 1) {
      found[row] = depth[row] ? last[depth[row] - 1] : -1;
      last[depth[row]] = row;
    }
    return found;
  }

  // Marks the rows that a filter finds, and with them what they hang under; null for no filter.
  function kept(model, matches) {
    if (!matches) {
      return null;
    }
    const marks = new Uint8Array(model.size);
    for (let row = 0; row < model.size; row += 1) {
      if (matches(row)) {
        marks[row] = 2;
        for (let up = model.parent[row]; up >= 0 && !marks[up]; up = model.parent[up]) {
          marks[up] = 1;
        }
      }
    }
    return marks;
  }

  // The rows that are shown, in order: not those under a folded one, nor those a filter drops.
  function shown(model, folded, marks) {
    const found = [];
    for (let row = 0; row < model.size; ) {
      if (!marks || marks[row]) {
        found.push(row);
      }
      row = folded.has(row) ? model.end[row] : row + 1;
    }
    return Int32Array.from(found);
  }

  // Where a row stands among those shown; of one that is not, what it hangs under.
  function placeOf(model, rows, row) {
    for (let up = row; up >= 0; up = model.parent[up]) {
      let [low, high] = [0, rows.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (rows[middle] < up) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      if (rows[low] === up) {
        return low;
      }
    }
    return 0;
  }

  // The first and the one behind the last of equally high rows that a view shows.
  function inSight(top, height, rowHeight, rows) {
    const first = Math.max(0, Math.min(Math.floor(top / rowHeight), rows - 1));
    return [first, Math.min(rows, Math.ceil((top + height) / rowHeight))];
  }

  all.tree = { ends, parents, kept, shown, placeOf, inSight };
})((globalThis.Waterfall = globalThis.Waterfall || {}));
