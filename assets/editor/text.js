// Sums on text: what differs, where a place moves, who wrote what. Positions are UTF-16 code units. Knows no page and no studio.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});

  shared.LIMIT = 1000000; // characters of a document

  const UNFIT = /[\0-\x08\x0b-\x1f\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

  // Text that a document can hold: lines end in \n, no halves of pairs, no invisible control characters.
  shared.clean = (text) => text.replace(/\r\n?/g, "\n").replace(UNFIT, "");

  const split = (text, at) => at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;

  // The length of what two texts begin with alike, at most `most`; halves what is compared, since whole pieces are compared quickly.
  const alike = (one, other, most, back = false) => {
    let [low, high] = [0, most];
    const piece = (text, from, to) => (back ? text.slice(text.length - to, text.length - from) : text.slice(from, to));
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (piece(one, low, middle) === piece(other, low, middle)) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  // The one splice {start, end, text} that leads from `old` to `fresh`, null if there is none. What was typed ends at `caret`, if given.
  shared.difference = (old, fresh, caret = fresh.length) => {
    if (old === fresh) return null;
    const room = Math.min(old.length, fresh.length);
    let after = alike(old, fresh, Math.min(room, Math.max(0, fresh.length - caret)), true);
    if (caret === fresh.length) after = 0;
    let before = alike(old, fresh, room - after);
    if (caret === fresh.length) after = alike(old, fresh, room - before, true);
    if (split(old, before) || split(fresh, before)) before -= 1;
    if (split(old, old.length - after) || split(fresh, fresh.length - after)) after -= 1;
    return { start: before, end: old.length - after, text: fresh.slice(before, fresh.length - after) };
  };

  // Where a place is after a splice; text put in right there stands behind it, or before it if `pushed`.
  shared.moved = (place, { start, end, text }, pushed = false) => {
    if (place < start || (place === start && !(pushed && start === end))) return place;
    return place >= end ? place + text.length - (end - start) : start + text.length;
  };

  // `last` with what `next` does just after it at the same place, or null if it is done elsewhere.
  shared.joined = (last, next) => {
    if (last.origin !== next.origin || last.creation !== next.creation || last.origin === "machine") return null;
    const stop = last.start + last.text.length;
    if (next.start >= last.start && next.end <= stop) {
      return { ...last, text: last.text.slice(0, next.start - last.start) + next.text + last.text.slice(next.end - last.start) };
    }
    if (next.end >= last.start && next.end <= stop) return { ...last, start: next.start, text: next.text + last.text.slice(next.end - last.start) };
    if (next.start === stop) return { ...last, end: last.end + next.end - next.start, text: last.text + next.text };
    return null;
  };

  // --- who wrote what: lists of [length, origin, creation] ------------------------------------------------------------------------

  const merged = (spans) => {
    const found = [];
    for (const [length, origin, creation] of spans) {
      const last = found.at(-1);
      if (!length) continue;
      if (last && last[1] === origin && last[2] === creation) last[0] += length;
      else found.push([length, origin, creation]);
    }
    return found;
  };

  const cut = (spans, start, end) => {
    const found = [];
    let place = 0;
    for (const [length, origin, creation] of spans) {
      const [low, high] = [Math.max(start, place), Math.min(end, place + length)];
      if (low < high) found.push([high - low, origin, creation]);
      place += length;
      if (place >= end) break;
    }
    return found;
  };

  // The spans after a splice. The studio knows better: it tells what a person's change makes of a passage once it is saved.
  shared.respanned = (spans, { start, end, text, origin, creation }) => merged([...cut(spans, 0, start), [text.length, origin, creation], ...cut(spans, end, Infinity)]);

  // The spans of one stretch with where they begin: [{start, end, origin, creation}].
  shared.between = (spans, start, end) => {
    let place = start;
    return cut(spans, start, end).map(([length, origin, creation]) => ({ start: place, end: (place += length), origin, creation }));
  };

  // "38 % machine-written, 4 % edited": the line under the document.
  shared.told = (spans) => {
    const counts = { human: 0, machine: 0, edited: 0 };
    for (const [length, origin] of spans) counts[origin] += length;
    const total = counts.human + counts.machine + counts.edited;
    const share = (count) => (count && count / total < 0.005 ? "under 1 %" : `${Math.min(count < total ? 99 : 100, Math.round((100 * count) / total))} %`);
    if (!total) return "";
    return `${share(counts.machine)} machine-written${counts.edited ? `, ${share(counts.edited)} edited by you` : ""}`;
  };

  shared.words = (text) => {
    const shown = text.length > 300000 ? text.slice(0, 300000) : text;
    const count = (shown.match(/[^\s]+/gu) ?? []).length;
    return text.length > shown.length ? `about ${Math.round((count * text.length) / shown.length / 100) * 100}` : count.toLocaleString();
  };
})();
