// Going to a place and marking a region on the waveform: by mouse, finger and keys. Knows where on the take a hand is, not what plays.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const DRAG = 6; // CSS pixels before a press becomes a drag
  const LEAST = 0.02; // seconds of the shortest region
  const ARROW = 5; // seconds that an arrow key goes where no tempo is known
  const WAYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };

  class Region {
    // `link`: take() (with seconds, bpm, meter, first), seek(seconds), position(), changed(region, whether the hand let go).
    constructor(parts, link) {
      Object.assign(this, { parts, link, value: null });
      this.#listenToPointer();
      for (const side of ["start", "end"]) parts[side].addEventListener("keydown", (event) => this.#handleKey(event, side));
      parts.seek.addEventListener("keydown", (event) => this.#seekKey(event));
    }

    get snaps() {
      return this.parts.snap.checked && shared.bar(this.link.take()) > 0;
    }

    // Shows `region` {start, end} or none; tells nobody.
    show(region) {
      this.value = region;
      const { parts } = this;
      const take = this.link.take();
      parts.region.hidden = parts.marked.hidden = !region;
      parts["snap-row"].hidden = !take || !shared.bar(take);
      if (!region || !take?.seconds) return;
      parts.region.style.left = `${(100 * region.start) / take.seconds}%`;
      parts.region.style.width = `${(100 * (region.end - region.start)) / take.seconds}%`;
      for (const side of ["start", "end"]) {
        const at = region[side];
        const values = { max: take.seconds.toFixed(2), now: at.toFixed(2), text: this.#words(at, take) };
        for (const [name, value] of Object.entries(values)) parts[side].setAttribute(`aria-value${name}`, value);
      }
      const stretch = `${shared.clock(region.start, true)} to ${shared.clock(region.end, true)}`;
      parts["marked-words"].textContent = `Region ${stretch} · ${shared.length(region.end - region.start, take)}`;
    }

    #words(seconds, take) {
      const bar = shared.bar(take);
      const count = bar ? (seconds - (take.first || 0)) / bar : NaN;
      const line = Math.abs(count - Math.round(count)) < 0.01 ? `, bar ${Math.round(count) + 1}` : "";
      return `${shared.clock(seconds, true)}${line}`;
    }

    // A new region from the position on, of four bars or an eighth of the take, for who cannot drag.
    mark() {
      const take = this.link.take();
      const bar = this.snaps ? shared.bar(take) : 0;
      const long = Math.min(take.seconds, bar ? 4 * bar : Math.max(1, take.seconds / 8));
      const line = bar ? (take.first || 0) + Math.floor((this.link.position() - (take.first || 0)) / bar + 1e-6) * bar : this.link.position();
      const start = Math.max(0, Math.min(line, take.seconds - long));
      this.#set(this.#place(start), this.#place(start + long), true);
      this.parts.start.focus();
    }

    clear() {
      this.show(null);
      this.link.changed(null, true);
      this.parts.seek.focus();
    }

    // The nearest place that a region may begin or end at.
    #place(seconds, free) {
      const take = this.link.take();
      return this.snaps && !free ? shared.snapped(seconds, take) : Math.min(take.seconds, Math.max(0, seconds));
    }

    #set(one, other, done) {
      const [start, end] = [Math.min(one, other), Math.max(one, other)];
      if (end - start < LEAST || this.link.take().growing) return; // a drag within one bar marks nothing yet
      this.show({ start, end });
      this.link.changed(this.value, done);
    }

    // --- mouse and finger --------------------------------------------------------------------------------------------------------

    #secondsAt(event) {
      const box = this.parts.stage.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.link.take().seconds;
    }

    #listenToPointer() {
      const { stage, seek } = this.parts;
      stage.addEventListener("pointerdown", (event) => {
        if (event.button || !this.link.take()?.seconds) return;
        const side = event.target.closest(".handle")?.dataset.part;
        stage.setPointerCapture(event.pointerId);
        (side ? this.parts[side] : seek).focus({ preventScroll: true });
        event.preventDefault();
        const anchor = side && this.value ? this.value[side === "start" ? "end" : "start"] : this.#secondsAt(event);
        this.drag = { pointer: event.pointerId, from: event.clientX, anchor, side, moved: false };
      });
      stage.addEventListener("pointermove", (event) => {
        if (this.drag?.pointer !== event.pointerId) return;
        this.drag.moved ||= Math.abs(event.clientX - this.drag.from) >= (this.drag.side ? 1 : DRAG);
        if (!this.drag.moved) return;
        const { anchor, side } = this.drag;
        this.#set(side ? anchor : this.#place(anchor, event.altKey), this.#place(this.#secondsAt(event), event.altKey), false);
      });
      const end = (event) => {
        if (this.drag?.pointer !== event.pointerId) return;
        const { moved, side } = this.drag;
        this.drag = null;
        if (moved) this.link.changed(this.value, true);
        else if (!side && event.type === "pointerup") this.link.seek(this.#secondsAt(event));
      };
      stage.addEventListener("pointerup", end);
      stage.addEventListener("pointercancel", end); // the page scrolls
    }

    // --- keys ----------------------------------------------------------------------------------------------------------------------

    // Arrow keys go by a bar where the region snaps, else by a tenth of a second; with Shift by a hundredth.
    #handleKey(event, side) {
      const take = this.link.take();
      if (event.altKey || event.ctrlKey || event.metaKey || !this.value) return;
      if (["Delete", "Backspace"].includes(event.key)) return this.#used(event, () => this.clear());
      const bar = this.snaps && !event.shiftKey ? shared.bar(take) : 0;
      const to = { Home: 0, End: take.seconds }[event.key] ?? this.value[side] + (WAYS[event.key] ?? 0) * (bar || (event.shiftKey ? 0.01 : 0.1));
      if (to === this.value[side]) return;
      const other = this.value[side === "start" ? "end" : "start"];
      if (side === "start" ? to < other : to > other) this.#used(event, () => this.#set(this.#place(to, event.shiftKey), other, true));
      else this.#used(event, () => {});
    }

    #seekKey(event) {
      const take = this.link.take();
      if (event.altKey || event.ctrlKey || event.metaKey || !take?.seconds) return;
      if (["Delete", "Backspace"].includes(event.key) && this.value) return this.#used(event, () => this.clear());
      const step = event.shiftKey ? 0.1 : shared.bar(take) || ARROW;
      const to = { Home: 0, End: take.seconds }[event.key] ?? this.link.position() + (WAYS[event.key] ?? NaN) * step;
      if (!Number.isNaN(to)) this.#used(event, () => this.link.seek(Math.min(take.seconds, Math.max(0, to))));
    }

    #used(event, action) {
      event.preventDefault();
      event.stopPropagation();
      action();
    }
  }

  shared.Region = Region;
})();
