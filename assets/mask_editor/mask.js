// The mask itself: which pixels of a picture may change (0..255 each), how tools change it, and the steps back and forward.
// Knows no page, no picture and no server.
(() => {
  "use strict";
  const shared = (window.atelierMask ??= {});

  const TILE = 256; // pixels; steps remember whole tiles, so that a stroke on a large picture costs little
  const HALF = 128; // from this value on a pixel counts as inside, for growing and for the edge
  const LEAST_STEPS = 30;
  const MOST_STEPS = 200;
  const MOST_BYTES = 128e6; // of remembered steps; LEAST_STEPS are kept even beyond it

  // Runs as pairs (value, length), the length in 7-bit groups; the first byte says whether that was worth it.
  const encode = (bytes) => {
    const out = new Uint8Array(bytes.length + 1);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2); // long runs are read four at a time
    let end = 1;
    for (let i = 0; i < bytes.length; ) {
      const value = bytes[i];
      const word = (value * 0x01010101) >>> 0;
      let next = i + 1;
      while (next & 3 && bytes[next] === value) next += 1;
      while (!(next & 3) && words[next >> 2] === word) next += 4;
      while (next < bytes.length && bytes[next] === value) next += 1;
      const run = next - i;
      if (end + 6 > out.length) {
        out.set(bytes, 1);
        return out; // raw
      }
      out[end++] = value;
      for (let rest = run; ; rest >>>= 7) {
        out[end++] = rest > 127 ? (rest & 127) | 128 : rest;
        if (rest <= 127) break;
      }
      i += run;
    }
    out[0] = 1;
    return out.slice(0, end);
  };

  const same = (one, other) => {
    const [a, b] = [one, other].map((bytes) => new Uint32Array(bytes.buffer, 0, bytes.length >> 2));
    for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
    for (let i = 4 * a.length; i < one.length; i += 1) if (one[i] !== other[i]) return false;
    return true;
  };

  const decode = (coded, into) => {
    if (coded[0] === 0) {
      into.set(coded.subarray(1, 1 + into.length));
      return;
    }
    for (let i = 1, at = 0; i < coded.length; ) {
      const value = coded[i++];
      let run = 0;
      for (let shift = 0; ; shift += 7) {
        const group = coded[i++];
        run |= (group & 127) << shift;
        if (group < 128) break;
      }
      into.fill(value, at, at + run);
      at += run;
    }
  };

  class Mask {
    constructor(width, height) {
      this.width = width;
      this.height = height;
      this.columns = Math.ceil(width / TILE);
      this.rows = Math.ceil(height / TILE);
      this.live = new Uint8Array(width * height); // what is shown and sent
      this.base = new Uint8Array(width * height); // as of the last step: what a stroke lies on, and what undo remembers
      this.laid = null; // how much the present stroke has covered, so that crossing itself does not thicken it
      this.counts = new Uint32Array(this.columns * this.rows); // selected pixels of each tile
      this.fulls = new Uint32Array(this.columns * this.rows); // those of value 255
      this.dirty = new Set();
      this.past = [];
      this.future = [];
      this.revision = 0;
      this.onchange = () => {}; // (left, top, right, bottom) of what needs drawing again
    }

    get selected() {
      let sum = 0;
      for (const count of this.counts) sum += count;
      return sum;
    }

    get share() {
      return this.selected / (this.width * this.height);
    }

    // --- steps ---------------------------------------------------------------------------------------------------------------

    // Says that `live` was written within this box; returns the box cut to the picture.
    touch(left, top, right, bottom) {
      const [l, t] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
      const [r, b] = [Math.min(this.width, Math.ceil(right)), Math.min(this.height, Math.ceil(bottom))];
      if (l >= r || t >= b) return;
      for (let row = Math.floor(t / TILE); row * TILE < b; row += 1)
        for (let column = Math.floor(l / TILE); column * TILE < r; column += 1) this.dirty.add(row * this.columns + column);
      this.onchange(l, t, r, b);
    }

    touchAll() {
      this.touch(0, 0, this.width, this.height);
    }

    // Makes what was written since the last step into one step; false if nothing differs. `join` adds it to the step before.
    commit(join = false) {
      const tiles = new Map();
      for (const tile of this.dirty) {
        const before = this.#read(this.base, tile);
        const after = this.#read(this.live, tile);
        if (same(before, after)) continue;
        tiles.set(tile, encode(before));
        this.#write(this.base, tile, after);
        this.#count(tile, after);
      }
      this.#forgetStroke();
      this.dirty.clear();
      if (!tiles.size) return false;
      const last = this.past.at(-1);
      if (join && last) for (const [tile, before] of tiles) last.has(tile) || last.set(tile, before);
      else this.past.push(tiles);
      this.future = [];
      this.revision += 1;
      this.#trim();
      return true;
    }

    // Drops what was written since the last step.
    revert() {
      for (const tile of this.dirty) {
        this.#write(this.live, tile, this.#read(this.base, tile));
        this.onchange(...this.#box(tile));
      }
      this.#forgetStroke();
      this.dirty.clear();
    }

    undo() {
      return this.#swap(this.past, this.future);
    }

    redo() {
      return this.#swap(this.future, this.past);
    }

    #swap(from, to) {
      this.revert();
      const step = from.pop();
      if (!step) return false;
      const opposite = new Map();
      for (const [tile, coded] of step) {
        opposite.set(tile, encode(this.#read(this.live, tile)));
        const values = this.#read(this.live, tile);
        decode(coded, values);
        this.#write(this.live, tile, values);
        this.#write(this.base, tile, values);
        this.#count(tile, values);
        this.onchange(...this.#box(tile));
      }
      to.push(opposite);
      this.revision += 1;
      return true;
    }

    #trim() {
      const size = (step) => [...step.values()].reduce((sum, coded) => sum + coded.length, 0);
      let bytes = this.past.reduce((sum, step) => sum + size(step), 0);
      while (this.past.length > LEAST_STEPS && (this.past.length > MOST_STEPS || bytes > MOST_BYTES)) bytes -= size(this.past.shift());
    }

    #forgetStroke() {
      if (!this.laid) return;
      for (const tile of this.dirty) {
        const [left, top, right, bottom] = this.#box(tile);
        for (let y = top; y < bottom; y += 1) this.laid.fill(0, y * this.width + left, y * this.width + right);
      }
    }

    #box(tile) {
      const [left, top] = [(tile % this.columns) * TILE, Math.floor(tile / this.columns) * TILE];
      return [left, top, Math.min(this.width, left + TILE), Math.min(this.height, top + TILE)];
    }

    #read(from, tile) {
      const [left, top, right, bottom] = this.#box(tile);
      const values = new Uint8Array((right - left) * (bottom - top));
      for (let y = top, at = 0; y < bottom; y += 1, at += right - left)
        values.set(from.subarray(y * this.width + left, y * this.width + right), at);
      return values;
    }

    #write(to, tile, values) {
      const [left, top, right, bottom] = this.#box(tile);
      const wide = right - left;
      for (let y = top, at = 0; y < bottom; y += 1, at += wide) to.set(values.subarray(at, at + wide), y * this.width + left);
    }

    #count(tile, values) {
      let [count, full] = [0, 0];
      for (let i = 0; i < values.length; i += 1) {
        if (values[i]) count += 1;
        if (values[i] === 255) full += 1;
      }
      this.counts[tile] = count;
      this.fulls[tile] = full;
    }

    // --- storing -------------------------------------------------------------------------------------------------------------

    packed() {
      const parts = [];
      for (let at = 0; at < this.base.length; at += TILE * TILE) parts.push(encode(this.base.subarray(at, at + TILE * TILE)));
      return parts;
    }

    unpack(parts) {
      parts.forEach((part, i) => decode(part, this.live.subarray(i * TILE * TILE, (i + 1) * TILE * TILE)));
      this.touchAll();
      this.commit();
      this.past = [];
    }

    // --- tools ---------------------------------------------------------------------------------------------------------------

    // A round brush along a line, in picture coordinates. hardness and opacity are 0..1; `away` takes from the mask. Radius and opacity
    // change evenly from those of `before`, where they were others.
    line(x0, y0, x1, y1, radius, hardness, opacity, away, before = { radius, opacity }) {
      const short = 2 * Math.min(radius, before.radius) + 8; // short pieces: small boxes
      const swells = Math.max(2 * Math.abs(radius - before.radius), 32 * Math.abs(opacity - before.opacity));
      const pieces = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / short), Math.ceil(swells));
      const between = (from, to, part) => from + (to - from) * part;
      for (let i = 0; i < pieces; i += 1) {
        const [a, b] = [i / pieces, (i + 1) / pieces];
        const tip = [between(before.radius, radius, b), hardness, between(before.opacity, opacity, b)];
        this.#piece(between(x0, x1, a), between(y0, y1, a), between(x0, x1, b), between(y0, y1, b), ...tip, away);
      }
    }

    #piece(x0, y0, x1, y1, radius, hardness, opacity, away) {
      this.laid ??= new Uint8Array(this.live.length);
      const inner = Math.max(0, Math.min(radius * hardness, radius - 0.5));
      const outer = radius + 0.5; // one soft pixel even on a hard brush
      const [dx, dy] = [x1 - x0, y1 - y0];
      const length2 = dx * dx + dy * dy || 1;
      const [left, right] = [Math.max(0, Math.floor(Math.min(x0, x1) - outer)), Math.min(this.width, Math.ceil(Math.max(x0, x1) + outer))];
      const [top, bottom] = [Math.max(0, Math.floor(Math.min(y0, y1) - outer)), Math.min(this.height, Math.ceil(Math.max(y0, y1) + outer))];
      const full = 255 * opacity;
      for (let y = top; y < bottom; y += 1) {
        const py = y + 0.5 - y0;
        for (let x = left; x < right; x += 1) {
          const px = x + 0.5 - x0;
          const along = Math.max(0, Math.min(1, (px * dx + py * dy) / length2));
          const [ex, ey] = [px - along * dx, py - along * dy];
          const far2 = ex * ex + ey * ey;
          if (far2 >= outer * outer) continue;
          let cover = full;
          if (far2 > inner * inner) {
            const t = (outer - Math.sqrt(far2)) / (outer - inner);
            cover = full * t * t * (3 - 2 * t);
          }
          const at = y * this.width + x;
          if (cover <= this.laid[at]) continue;
          this.laid[at] = cover;
          const base = this.base[at];
          this.live[at] = Math.round(away ? (base * (255 - this.laid[at])) / 255 : base + ((255 - base) * this.laid[at]) / 255);
        }
      }
      this.touch(left, top, right, bottom);
    }

    rectangle(left, top, right, bottom, value) {
      const [l, r] = [Math.max(0, Math.round(left)), Math.min(this.width, Math.round(right))];
      const [t, b] = [Math.max(0, Math.round(top)), Math.min(this.height, Math.round(bottom))];
      for (let y = t; y < b && l < r; y += 1) this.live.fill(value, y * this.width + l, y * this.width + r);
      this.touch(l, t, r, b);
    }

    ellipse(left, top, right, bottom, value) {
      const [cx, cy, rx, ry] = [(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2];
      for (let y = Math.max(0, Math.floor(top)); y < Math.min(this.height, bottom); y += 1) {
        const part = 1 - ((y + 0.5 - cy) / ry) ** 2;
        if (part > 0) this.#run(y, cx - rx * Math.sqrt(part), cx + rx * Math.sqrt(part), value);
      }
      this.touch(left, top, right, bottom);
    }

    // A closed outline of [x, y] points, filled by the even-odd rule.
    polygon(points, value) {
      const ys = points.map((point) => point[1]);
      const xs = points.map((point) => point[0]);
      const [top, bottom] = [Math.max(0, Math.floor(Math.min(...ys))), Math.min(this.height, Math.ceil(Math.max(...ys)))];
      for (let y = top; y < bottom; y += 1) {
        const crossings = [];
        for (let i = 0; i < points.length; i += 1) {
          const [[ax, ay], [bx, by]] = [points[i], points[(i + 1) % points.length]];
          if (ay <= y + 0.5 !== by <= y + 0.5) crossings.push(ax + ((y + 0.5 - ay) / (by - ay)) * (bx - ax));
        }
        crossings.sort((a, b) => a - b);
        for (let i = 0; i + 1 < crossings.length; i += 2) this.#run(y, crossings[i], crossings[i + 1], value);
      }
      this.touch(Math.min(...xs), top, Math.max(...xs), bottom);
    }

    // The pixels of a row whose centres lie between two places.
    #run(y, from, to, value) {
      const [l, r] = [Math.max(0, Math.ceil(from - 0.5)), Math.min(this.width, Math.floor(to - 0.5) + 1)];
      if (l < r) this.live.fill(value, y * this.width + l, y * this.width + r);
    }

    // Everything of about the colour at (x, y) that hangs together with it. `seen` is the picture as {data, width, height} (RGBA),
    // possibly smaller than the mask; tolerance is the largest difference of any channel, 0..255.
    flood(seen, x, y, tolerance, value) {
      const [sx, sy] = [this.width / seen.width, this.height / seen.height];
      const found = spread(seen, Math.floor(x / sx), Math.floor(y / sy), tolerance);
      const columns = Int32Array.from({ length: this.width }, (_, i) => Math.min(seen.width - 1, Math.floor((i + 0.5) / sx)));
      for (let row = 0; row < this.height; row += 1) {
        const from = Math.min(seen.height - 1, Math.floor((row + 0.5) / sy)) * seen.width;
        for (let i = 0, at = row * this.width; i < this.width; i += 1, at += 1) if (found[from + columns[i]]) this.live[at] = value;
      }
      this.touchAll();
    }

    invert() {
      const words = new Uint32Array(this.live.buffer, 0, this.live.length >> 2); // four pixels at a time
      for (let i = 0; i < words.length; i += 1) words[i] = ~words[i];
      for (let i = 4 * words.length; i < this.live.length; i += 1) this.live[i] = 255 - this.live[i];
      this.touchAll();
    }

    clear() {
      this.live.fill(0);
      this.touchAll();
    }

    // Takes the values of a whole mask of this size.
    replace(values) {
      this.live.set(values.subarray(0, this.live.length));
      this.touchAll();
    }

    // Positive grows, negative shrinks, by at most 250 pixels. A soft edge is cut at HALF: growing by a distance needs one outline.
    grow(distance) {
      const reach = Math.min(TILE - 6, Math.abs(Math.round(distance)));
      if (!reach) return;
      const value = distance > 0 ? 255 : 0;
      for (const [left, top, right, bottom] of this.#strips()) {
        const box = [Math.max(0, left - reach), Math.max(0, top - reach), Math.min(this.width, right + reach), Math.min(this.height, bottom + reach)];
        const near = this.#within(box, reach, distance > 0);
        for (let y = top; y < bottom; y += 1) {
          let at = (y - box[1]) * (box[2] - box[0]) + left - box[0];
          for (let i = y * this.width + left, end = i + right - left; i < end; i += 1, at += 1) if (near[at]) this.live[i] = value;
        }
        this.touch(left, top, right, bottom);
      }
    }

    // The boxes in which growing can change anything: tiles that are neither all 0 nor all 255, or beside one that is otherwise. Those
    // of a row that lie together make one box.
    #strips() {
      const state = (row, column) => {
        const tile = row * this.columns + column;
        if (!this.counts[tile]) return 0;
        const [left, top, right, bottom] = this.#box(tile);
        return this.fulls[tile] === (right - left) * (bottom - top) ? 1 : 2;
      };
      const plain = (row, column) => {
        const own = state(row, column);
        for (let r = Math.max(0, row - 1); r <= Math.min(this.rows - 1, row + 1); r += 1)
          for (let c = Math.max(0, column - 1); c <= Math.min(this.columns - 1, column + 1); c += 1) if (state(r, c) !== own) return false;
        return own !== 2;
      };
      const strips = [];
      for (let row = 0; row < this.rows; row += 1) {
        let open = null;
        for (let column = 0; column < this.columns; column += 1) {
          const [left, top, right, bottom] = this.#box(row * this.columns + column);
          if (plain(row, column)) open = null;
          else if (open) open[2] = right;
          else strips.push((open = [left, top, right, bottom]));
        }
      }
      return strips;
    }

    // For each pixel of the box whether an inner (or, for `inside` false, an outer) pixel lies within `reach` of it. Exact Euclidean
    // discs in linear time: distances along the columns first, then along each row the union of the intervals that they stand for.
    #within([left, top, right, bottom], reach, inside) {
      const [wide, high] = [right - left, bottom - top];
      const { base, width } = this;
      const far = new Uint8Array(wide * (high + 1)).fill(255); // one row more, so that the first has one before it
      const wanted = inside ? 1 : 0;
      for (let y = 0, at = wide; y < high; y += 1) {
        for (let x = 0, i = (top + y) * width + left; x < wide; x += 1, i += 1, at += 1) {
          const before = far[at - wide];
          far[at] = base[i] >> 7 === wanted ? 0 : before + (before < 255 ? 1 : 0);
        }
      }
      for (let at = wide * high - 1; at >= wide; at -= 1) if (far[at + wide] < far[at]) far[at] = far[at + wide] + 1;
      const reaches = Int32Array.from({ length: reach + 1 }, (_, d) => Math.floor(Math.sqrt(reach * reach - d * d)));
      const near = new Uint8Array(wide * high);
      for (let y = 0; y < high; y += 1) {
        const row = y * wide;
        for (let x = 0; x < wide; ) {
          const distance = far[row + wide + x];
          const start = x;
          while (x < wide && far[row + wide + x] === distance) x += 1; // pixels at one distance make one interval
          if (distance <= reach) near.fill(1, row + Math.max(0, start - reaches[distance]), row + Math.min(wide, x + reaches[distance]));
        }
      }
      return near;
    }

    move(dx, dy) {
      const box = this.bounds();
      if (!box) return;
      const [left, top, right, bottom] = box;
      const rows = [];
      for (let y = top; y < bottom; y += 1) {
        const at = y * this.width + left;
        rows.push(this.live.slice(at, at + right - left));
        this.live.fill(0, at, at + right - left);
      }
      this.touch(...box);
      const [from, to] = [Math.max(0, left + dx), Math.min(this.width, right + dx)];
      rows.forEach((row, i) => {
        const y = top + i + dy;
        if (y >= 0 && y < this.height && from < to) this.live.set(row.subarray(from - left - dx, to - left - dx), y * this.width + from);
      });
      this.touch(left + dx, top + dy, right + dx, bottom + dy);
    }

    // The tiles with selected pixels as one box; null when there are none.
    bounds() {
      const boxes = [...this.counts.keys()].filter((tile) => this.counts[tile]).map((tile) => this.#box(tile));
      if (!boxes.length) return null;
      const [lefts, tops, rights, bottoms] = [0, 1, 2, 3].map((side) => boxes.map((box) => box[side]));
      return [Math.min(...lefts), Math.min(...tops), Math.max(...rights), Math.max(...bottoms)];
    }
  }

  // Scan-line flood fill over RGBA pixels; returns 1 for each pixel reached.
  const spread = ({ data, width, height }, x, y, tolerance) => {
    const found = new Uint8Array(width * height);
    const start = (y * width + x) * 4;
    const [r, g, b, a] = data.slice(start, start + 4);
    const alike = new Uint8Array(width * height);
    for (let at = 0, i = 0; at < alike.length; at += 1, i += 4) {
      const near = Math.abs(data[i] - r) <= tolerance && Math.abs(data[i + 1] - g) <= tolerance && Math.abs(data[i + 2] - b) <= tolerance;
      alike[at] = near && Math.abs(data[i + 3] - a) <= tolerance ? 1 : 0; // and 0 again once it was reached
    }
    const waiting = [y * width + x];
    while (waiting.length) {
      const seed = waiting.pop();
      if (!alike[seed]) continue;
      const row = seed - (seed % width);
      let [from, to] = [seed, seed];
      while (from > row && alike[from - 1]) from -= 1;
      while (to < row + width - 1 && alike[to + 1]) to += 1;
      found.fill(1, from, to + 1);
      alike.fill(0, from, to + 1);
      for (const next of [-width, width]) {
        if (from + next < 0 || from + next >= alike.length) continue;
        for (let at = from + next, before = 0; at <= to + next; before = alike[at], at += 1) if (alike[at] && !before) waiting.push(at);
      }
    }
    return found;
  };

  shared.Mask = Mask;
  shared.HALF = HALF;
})();
