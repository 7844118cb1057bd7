// What is done to the document, by hand and by models: keeps the text, who wrote what, places that move with it, and what is to be saved, in
// step with one another. Knows the surface and the queue; knows no button.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});

  const PLACES = "atelier-editor-places"; // of this browser tab: a reload finds the place of a run that goes on
  const MOST_PLACES = 20;

  const HAND = { origin: "human", creation: "" };
  const after = (text, splices) => splices.reduce((now, { start, end, text: words }) => now.slice(0, start) + words + now.slice(end), text);
  const named = ({ document, version, start, end }) => JSON.stringify([document, version, start, end]);

  class Edits {
    // `surface`, `keep`; `told.drawn()` when something looks different.
    constructor(surface, keep, told) {
      Object.assign(this, { surface, keep, told, spans: [], known: [], saved: "", places: [], stream: null });
    }

    // Another document, or another version of this one, of which the page shows what differs.
    adopt({ text, spans, id, version }, same) {
      const splice = same ? shared.difference(this.surface.text, text) : null;
      Object.assign(this, { spans, known: spans, saved: text, stream: null });
      if (same && splice) {
        this.surface.splice(splice);
        for (const place of this.places) this.#move(place, splice);
      } else if (!same) {
        this.surface.set(text);
        this.places = this.#remembered(id, version);
      }
      this.told.drawn();
      return splice;
    }

    // The text as the studio is to have it: without what is still being written.
    get text() {
      const { surface, stream } = this;
      return stream ? surface.text.slice(0, stream.start) + surface.text.slice(stream.end) : surface.text;
    }

    hand(splice) {
      const told = this.stream ? this.stream.take(splice) : [splice];
      this.#follow({ ...splice, ...HAND });
      if (told.length) this.keep.add(told.map((one) => ({ ...one, ...HAND })));
      this.told.drawn();
    }

    // Splices that a button does, one version together; `origin` and `creation` in each. Shown as the one change that they come to.
    put(splices, note) {
      const fresh = after(this.surface.text, splices);
      const whole = shared.difference(this.surface.text, fresh);
      if (!whole) return;
      this.surface.splice(whole);
      for (const place of this.places) for (const one of splices) this.#move(place, one);
      for (const one of splices) this.spans = shared.respanned(this.spans, one);
      this.keep.add(splices, note);
      this.told.drawn();
    }

    // What the studio says once a group of splices is saved.
    took({ spans, version }, splices) {
      this.saved = after(this.saved, splices);
      this.known = spans;
      this.spans = this.keep.splices.reduce(shared.respanned, spans);
      const { stream } = this;
      if (stream) this.spans = shared.respanned(this.spans, { start: stream.start, end: stream.start, text: this.surface.text.slice(stream.start, stream.end), origin: "machine", creation: shared.LIVE });
      this.told.drawn(version);
    }

    // --- what is being written -------------------------------------------------------------------------------------------------------

    begin(place) {
      this.stream = new shared.Live(place);
      this.caret = this.surface.selection.start === place && this.surface.selection.end === place ? place : -1;
    }

    grow(text) {
      const splice = this.stream?.grown(text);
      if (!splice) return;
      this.surface.splice(splice);
      this.#follow({ ...splice, origin: "machine", creation: shared.LIVE });
      this.told.drawn();
    }

    // The studio is told now; the caret goes to the end if it stood where the text began.
    finish({ text, creation }, note) {
      const { stream, surface } = this;
      if (!stream) return;
      this.grow(text);
      this.stream = null;
      this.spans = shared.respanned(this.spans, { start: stream.start, end: stream.end, text: surface.text.slice(stream.start, stream.end), origin: "machine", creation });
      if (stream.dropped) return;
      const { start, end } = surface.selection;
      if (start === end && start === this.caret && !stream.edits.length) surface.field.setSelectionRange(stream.end, stream.end);
      this.keep.add(stream.told(text, creation), note);
      this.told.drawn();
    }

    // Takes it out again.
    drop() {
      const { stream } = this;
      this.stream = null;
      if (!stream?.length) return;
      const splice = { start: stream.start, end: stream.end, text: "" };
      this.surface.splice(splice);
      this.#follow({ ...splice, ...HAND });
      this.told.drawn();
    }

    // --- places ----------------------------------------------------------------------------------------------------------------------

    // Remembers where a run was asked for: the place moves with the text.
    mark(place) {
      this.places = [...this.places, { key: named(place), start: place.start, end: place.end }].slice(-MOST_PLACES);
      try {
        const before = JSON.parse(sessionStorage.getItem(PLACES) ?? "[]");
        sessionStorage.setItem(PLACES, JSON.stringify([...before, place].slice(-MOST_PLACES)));
      } catch {
        // a browser that keeps nothing: a reload shows what comes as a card
      }
    }

    // Where that is now, null if it was not asked for here.
    place(place) {
      return (place && this.places.findLast(({ key }) => key === named(place))) ?? null;
    }

    #remembered(id, version) {
      try {
        const known = JSON.parse(sessionStorage.getItem(PLACES) ?? "[]").filter((one) => one.document === id && one.version === version);
        return known.filter(({ end }) => end <= this.surface.text.length).map((one) => ({ key: named(one), start: one.start, end: one.end }));
      } catch {
        return [];
      }
    }

    #follow(splice) {
      this.spans = shared.respanned(this.spans, splice);
      for (const place of this.places) this.#move(place, splice);
    }

    // A place of some length does not grow at its edges; what replaces it whole it holds.
    #move(place, splice) {
      const whole = splice.start === place.start && splice.end === place.end && splice.start < splice.end;
      place.start = shared.moved(place.start, splice, !whole);
      place.end = whole ? place.start + splice.text.length : Math.max(place.start, shared.moved(place.end, splice));
    }
  }

  shared.Edits = Edits;
})();
