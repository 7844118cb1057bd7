// What the player shows: keeps the parts on the page in step with the takes, the choice and the playing. Changes nothing of them.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const WAITING = "Waiting for more sound…";
  const PARTS = 6; // colours of parts in the style sheet

  class View {
    constructor(player) {
      Object.assign(this, { player, parts: player.parts, root: player.root, cards: [] });
      new ResizeObserver(() => this.draw()).observe(this.root);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => this.draw(), 300));
      for (const fold of ["roll-fold", "spectrum-fold"])
        this.parts[fold].addEventListener("toggle", () => {
          this.draw();
          this.#spectrum();
        });
      this.parts["roll-box"].addEventListener("click", (event) => {
        const box = this.parts["roll-box"].getBoundingClientRect();
        player.seek(((event.clientX - box.left) / box.width) * player.take.seconds);
      });
    }

    say(sentence, isError = false) {
      if (this.parts.line.textContent !== sentence) this.parts.line.textContent = sentence;
      this.parts.line.classList.toggle("error", isError);
    }

    // Everything, after a change.
    show() {
      const { player, parts, root } = this;
      const { take } = player;
      root.classList.toggle("blank", !take);
      if (!take) return;
      root.dataset.take = take.id;
      root.toggleAttribute("data-playing", player.playing);
      root.toggleAttribute("data-growing", Boolean(take.growing));
      parts.title.textContent = take.title;
      parts.of.textContent = shared.clock(take.seconds);
      const on = (name) => root.querySelector(`[data-do=${name}]`);
      on("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
      on("loop").setAttribute("aria-pressed", String(Boolean(player.loops)));
      for (const name of ["loop", "mark"]) on(name).disabled = Boolean(take.growing);
      this.#cards();
      if (this.shown !== take) this.#take(take);
      player.region.show(take.region);
      this.draw();
    }

    // What changes with the take alone.
    #take(take) {
      const { parts, player } = this;
      this.shown = take;
      shared.facts(parts.facts, take.facts ?? []);
      parts.cover.hidden = !take.cover;
      if (take.cover) Object.assign(parts.cover, { src: take.cover.url ?? take.cover, alt: `Cover of ${take.title}` });
      const begins = (section) => shared.clock(section.start);
      parts.sections.replaceChildren(...(take.sections ?? []).map((section) => {
        const made = shared.element("button", { type: "button", text: section.name, title: `${section.name}: go to ${begins(section)}` });
        made.style.flexGrow = section.seconds;
        made.addEventListener("click", () => player.seek(section.start));
        return made;
      }));
      parts.sections.hidden = !take.sections?.length;
      parts["roll-fold"].hidden = !take.notes?.length;
      if (take.notes?.length) {
        parts.roll.setAttribute("aria-label", shared.rollWords(take));
        parts.parts.replaceChildren(...shared.parts(take).map((name, i) => shared.element("li", { text: name, className: `part-${i % PARTS}` })));
      }
      parts["spectrum-fold"].hidden = !(take.spectrogram || (player.link.server?.spectrogram && take.file));
      parts.spectrum.hidden = parts["spectrum-words"].hidden = true;
      this.#spectrum();
    }

    #cards() {
      const { player, parts } = this;
      const key = JSON.stringify(player.takes.map(({ id, title, seconds, growing, cover }) => [id, title, growing ? 0 : seconds, Boolean(cover)]));
      if (key !== this.key) {
        this.key = key;
        this.cards = player.takes.map((take) => shared.card(take, player.group));
        const held = parts.cards.contains(document.activeElement);
        parts.cards.replaceChildren(...this.cards.map(({ card }) => card));
        if (held) this.cards.find(({ input }) => input.value === player.take.id)?.input.focus();
      }
      for (const { input } of this.cards) input.checked = input.value === player.take.id;
      parts.takes.hidden = player.takes.length < 2;
    }

    draw() {
      const { player, parts } = this;
      if (!player.take) return;
      this.#frame();
      for (const [i, { canvas }] of this.cards.entries()) shared.drawWave(canvas, player.takes[i], { lines: false, step: 3 });
      if (parts["roll-fold"].open) shared.drawRoll(parts.roll, player.take);
    }

    // Moves with the sound while it plays.
    run() {
      cancelAnimationFrame(this.next);
      const step = () => {
        if (!this.player.playing) return;
        this.#frame();
        this.next = requestAnimationFrame(step);
      };
      step();
    }

    #frame() {
      const { player, parts } = this;
      const { take, position } = player;
      const share = take.seconds ? Math.min(1, position / take.seconds) : 0;
      shared.drawWave(parts.wave, take, { played: share, region: take.region });
      parts["head-line"].style.left = `${100 * share}%`;
      const now = shared.clock(position);
      if (parts.now.textContent !== now || this.of !== take) {
        this.of = take;
        parts.now.textContent = now;
        const values = { max: take.seconds.toFixed(1), now: Math.floor(position), text: `${shared.spoken(position)} of ${shared.spoken(take.seconds)}` };
        for (const [name, value] of Object.entries(values)) parts.seek.setAttribute(`aria-value${name}`, value);
      }
      const { line } = parts;
      if (player.voice?.waiting && take.growing && !take.growing.complete) this.say(WAITING);
      else if (line.textContent === WAITING) this.say("");
    }

    // The picture is asked for when the fold is first opened.
    async #spectrum() {
      const { parts, player } = this;
      const { take } = player;
      if (!take || !parts["spectrum-fold"].open || parts["spectrum-fold"].hidden || !parts.spectrum.hidden) return;
      const show = (source) => {
        if (player.take !== take) return;
        Object.assign(parts.spectrum, { src: source, alt: `Spectrogram of ${take.title}: time to the right, pitch upwards`, hidden: false });
        parts["spectrum-words"].hidden = true;
      };
      if (take.spectrogram) return show(take.spectrogram.url ?? take.spectrogram);
      Object.assign(parts["spectrum-words"], { textContent: "Drawing…", hidden: false });
      const answer = await player.link.server.spectrogram({ path: take.file.path }).catch(() => null);
      if (answer?.image) show((take.spectrogram = `data:image/png;base64,${answer.image}`));
      else if (player.take === take) parts["spectrum-words"].textContent = answer?.error ?? "The studio did not answer: try again.";
    }
  }

  shared.View = View;
})();
