// The layer under the text field: the same words, laid out the same and seen through, that carries the colours and knows where words stand.
// One block a paragraph, so that a key lays out one paragraph; only blocks near the view are coloured. Knows no document.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});

  const NEAR = 600; // pixels above and below the view that are coloured, too
  const LONGEST = 20000; // characters of a paragraph; with a longer one a text has no layer

  class Mirror {
    // `colours(start, end)` gives stretches [{start, end, name, token}] of what is to be coloured, in order.
    constructor(node, view, colours) {
      Object.assign(this, { node, view, colours, lengths: [], on: true });
      view.addEventListener("scroll", () => this.soon(), { passive: true });
    }

    // Whether there is a layer for this text.
    static fits(text) {
      for (let start = 0, end; start < text.length; start = end + 1) {
        end = text.indexOf("\n", start);
        if (end < 0) end = text.length;
        if (end - start > LONGEST) return false;
      }
      return true;
    }

    set(text) {
      this.on = Mirror.fits(text);
      const lines = this.on ? text.split("\n") : [];
      this.lengths = lines.map((line) => line.length + 1);
      this.node.replaceChildren(...lines.map((line) => this.#block(line)));
      this.soon();
    }

    // Follows a change of the text; false if the text has no layer any more.
    splice({ start, end, text }) {
      if (!this.on) return false;
      const [first, low] = this.#at(start);
      const [last, high] = this.#at(end, first, start - low);
      const [head, tail] = [this.#line(first).slice(0, low), this.#line(last).slice(high, -1)];
      const lines = `${head}${text}${tail}`.split("\n");
      if (lines.some((line) => line.length > LONGEST)) return (this.on = false);
      const blocks = this.node.children;
      if (first === last && lines.length === 1) this.#write(blocks[first], lines[0]);
      else {
        const gone = [...Array(last - first + 1).keys()].map((k) => blocks[first + k]);
        this.#write(gone[0], lines[0]);
        for (const block of gone.slice(1)) block.remove();
        gone[0].after(...lines.slice(1).map((line) => this.#block(line)));
      }
      if (lines.length < 1000) this.lengths.splice(first, last - first + 1, ...lines.map((line) => line.length + 1));
      else this.lengths = [...this.lengths.slice(0, first), ...lines.map((line) => line.length + 1), ...this.lengths.slice(last + 1)];
      this.soon();
      return true;
    }

    soon() {
      this.painting ??= requestAnimationFrame(() => {
        this.painting = null;
        this.paint();
      });
    }

    // Colours what is near the view.
    paint() {
      if (!this.on || !this.view.clientHeight) return;
      const blocks = this.node.children;
      const { scrollTop, clientHeight } = this.view;
      let index = this.#seen(scrollTop - NEAR);
      let start = 0;
      for (let k = 0; k < index; k += 1) start += this.lengths[k];
      for (; index < blocks.length && blocks[index].offsetTop < scrollTop + clientHeight + NEAR; index += 1) {
        this.#colour(blocks[index], start, this.lengths[index] - 1);
        start += this.lengths[index];
      }
    }

    // The rectangles of text[start:end], the first if it is empty; in the window.
    rects(start, end) {
      const [block, low] = this.#at(start);
      const range = document.createRange();
      range.setStart(...this.#point(block, low));
      range.setEnd(...this.#point(...this.#at(Math.max(end, start))));
      const found = [...range.getClientRects()];
      return found.length ? found : [range.getBoundingClientRect()];
    }

    // The first block in view and how far its top is above it: what stays where it is when text above it changes.
    anchor() {
      const block = this.on ? this.node.children[this.#seen(this.view.scrollTop)] : null;
      return block ? { block, top: block.offsetTop - this.view.scrollTop } : null;
    }

    #colour(block, start, length) {
      const stretches = this.colours(start, start + length);
      const sign = stretches.map(({ start: from, end, name }) => `${from - start}-${end - start}${name}`).join();
      if (sign === (block.sign ?? "")) return;
      const line = block.textContent;
      const parts = [];
      let place = 0;
      for (const { start: from, end, name, token } of stretches) {
        if (from - start > place) parts.push(line.slice(place, from - start));
        const span = document.createElement("span");
        span.className = name;
        if (token !== undefined) span.dataset.token = token;
        span.textContent = line.slice(from - start, end - start);
        parts.push(span);
        place = end - start;
      }
      block.replaceChildren(...parts, line.slice(place));
      block.sign = sign;
    }

    #block(line) {
      const made = document.createElement("div");
      made.textContent = `${line}\n`;
      return made;
    }

    #write(block, line) {
      if (!block.sign && block.firstChild) block.firstChild.data = `${line}\n`;
      else block.textContent = `${line}\n`;
      block.sign = "";
    }

    #line(index) {
      return this.node.children[index].textContent;
    }

    // The block that holds a place, and the place in it.
    #at(place, index = 0, start = 0) {
      const { lengths } = this;
      while (index < lengths.length - 1 && place >= start + lengths[index]) {
        start += lengths[index];
        index += 1;
      }
      return [index, place - start];
    }

    // The first block whose bottom is below `top`.
    #seen(top) {
      const blocks = this.node.children;
      let [low, high] = [0, Math.max(0, blocks.length - 1)];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (blocks[middle].offsetTop + blocks[middle].offsetHeight > top) high = middle;
        else low = middle + 1;
      }
      return low;
    }

    #point(index, place) {
      const walk = document.createTreeWalker(this.node.children[index], NodeFilter.SHOW_TEXT);
      let node = walk.nextNode();
      while (node.length < place) {
        place -= node.length;
        node = walk.nextNode();
      }
      return [node, place];
    }
  }

  shared.Mirror = Mirror;
})();
