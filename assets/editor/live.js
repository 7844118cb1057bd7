// Text that streams into the document. The studio has no such text yet: changes outside of it are told in places without it, changes within
// it are kept until it is finished. Knows no page; places are code units.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});

  class Live {
    constructor(start) {
      Object.assign(this, { start, length: 0, seen: "", edits: [], dropped: false });
    }

    get end() {
      return this.start + this.length;
    }

    // The splice that brings what came since, null if nothing did.
    grown(text) {
      if (this.dropped || text === this.seen) return null;
      if (text.startsWith(this.seen)) {
        const more = { start: this.end, end: this.end, text: text.slice(this.seen.length) };
        this.length += more.text.length;
        this.seen = text;
        return more;
      }
      if (this.edits.length) return null; // changed by hand: what stands there stays
      const splice = shared.difference(this.seen, text);
      this.length = text.length;
      this.seen = text;
      return { ...splice, start: splice.start + this.start, end: splice.end + this.start };
    }

    // A change by hand, in the places of the page: what of it the studio can be told now, in places without this text.
    take({ start, end, text }) {
      const [low, high] = [this.start, this.end];
      const without = high - low;
      if (end <= low) {
        this.start += text.length - (end - start);
        return [{ start, end, text }];
      }
      if (start >= high) return [{ start: start - without, end: end - without, text }];
      if (start >= low && end <= high) {
        this.#edit(start - low, end - low, text);
        return [];
      }
      const told = [];
      if (start < low) {
        told.push({ start, end: low, text });
        this.start = start + text.length;
        this.#edit(0, Math.min(end, high) - low, "");
      } else this.#edit(start - low, high - low, text);
      if (end > high) told.push({ start: this.start, end: this.start + end - high, text: "" });
      return told;
    }

    // All that is to be told once the text is finished: it, and what was done to it meanwhile.
    told(text, creation) {
      const known = text.startsWith(this.seen) || this.dropped ? text : this.seen;
      const whole = { start: this.start, end: this.start, text: known, origin: "machine", creation };
      const edits = this.edits.map(({ start, end, text: words }) => ({ start: start + this.start, end: end + this.start, text: words, origin: "human", creation: "" }));
      return [whole, ...edits];
    }

    // Everything of it was taken out by hand: what still comes is not wanted.
    #edit(start, end, text) {
      this.edits.push({ start, end, text });
      this.length += text.length - (end - start);
      if (!this.length) this.dropped = true;
    }
  }

  shared.Live = Live;
})();
