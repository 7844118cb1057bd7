// The player as a whole: what the server sends, what is chosen, what plays, and what goes back.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const PRESS = "Press play.";
  const GONE = "The sound could not be loaded: check that the studio is running, then try again.";
  let players = 0;

  class Player {
    // `link`: props, watch(name, function), server (its functions), tell {choose(data), region(data)}.
    constructor(root, link) {
      this.root = root;
      this.link = link;
      this.group = `atelier-player-${(players += 1)}`;
      this.parts = shared.panel(root);
      this.takes = [];
      this.at = 0; // seconds, while nothing plays
      this.region = new shared.Region(this.parts, {
        take: () => this.take,
        seek: (seconds) => this.seek(seconds),
        position: () => this.position,
        changed: (region, done) => this.#marked(region, done),
      });
      this.view = new shared.View(this);
      this.#listen();
      this.#value(link.props.value);
      link.watch("value", () => this.#value(link.props.value));
      root.dataset.ready = "true";
    }

    get position() {
      return this.voice ? this.voice.now : this.at;
    }

    // --- what the server sends -----------------------------------------------------------------------------------------------------

    // {takes, chosen, play, token} replaces the takes; {live} adds to a run's growing sound; a value may be both.
    #value(value) {
      if (!value || typeof value !== "object") return;
      if (value.takes) this.#setTakes(value);
      if (value.live) this.#grow(value.live);
      this.view.show();
    }

    #setTakes({ takes, chosen, live, play, token }) {
      const grown = this.takes.find((take) => take.growing);
      const ended = grown && !live;
      if (ended) this.#complete(grown.growing);
      const finished = grown && takes.find((take) => take.run && take.run === grown.id);
      this.takes = takes.map((take) => ({ ...take, region: this.takes.find((old) => old.id === take.id)?.region ?? null }));
      if (grown && !ended && !finished) this.takes.push(grown);
      const asked = token && token !== this.token ? chosen : null; // a value that comes again must not choose again
      this.token = token ?? this.token;
      const current = this.takes.find((take) => take.id === this.take?.id);
      if (finished && this.take === grown) this.#choose(finished.id, true);
      else if (!current || (asked && (play || !this.playing))) this.#choose(asked || chosen || this.takes[0]?.id, false);
      else this.take = current;
      if (play && asked) this.play(0);
    }

    #grow(live) {
      let take = this.takes.find((one) => one.growing);
      if (take?.id !== live.run) {
        if (take) this.#complete(take.growing);
        const growing = new shared.Growing(live);
        take = { id: live.run, title: live.title || "Being made", rate: live.rate, growing, peaks: growing.peaks, seconds: 0, region: null };
        this.takes = [...this.takes.filter((one) => !one.growing), take];
        if (!this.playing) {
          this.#choose(take.id, false);
          if (live.play !== false) this.play(0);
        }
      }
      take.growing.add(live);
      take.seconds = Math.max(live.expected || 0, take.growing.seconds);
      if (this.take === take) this.voice?.feed();
    }

    #complete(growing) {
      growing.complete = true;
      if (this.voice?.sound === growing) this.voice.feed();
    }

    // --- choosing --------------------------------------------------------------------------------------------------------------------

    // Another take at the same position; what plays goes on with it if `keep`, and falls silent otherwise.
    #choose(id, keep) {
      const take = this.takes.find((one) => one.id === id) ?? null;
      if (take === this.take) return;
      const at = this.position;
      this.take = take;
      this.loops = take?.region ? this.loops : Boolean(take?.loop);
      this.at = take && at < there(take) ? at : 0;
      if (!take || !keep) this.#silence();
      else if (this.playing) this.#start(this.at, true);
      this.region.show(take?.region ?? null);
    }

    // By hand: keeps the position and plays on.
    pick(id) {
      this.#choose(id, true);
      this.view.show();
      this.link.tell.choose({ take: id });
    }

    // --- playing ---------------------------------------------------------------------------------------------------------------------

    play(from = this.at) {
      if (!this.take || this.playing) return;
      this.at = from;
      const over = this.at >= there(this.take) - 0.01 && this.take.growing?.complete !== false;
      this.#start(over ? 0 : this.at, false);
    }

    pause() {
      this.at = this.position;
      this.#silence();
      this.view.show();
    }

    stop() {
      this.#silence();
      this.at = 0;
      this.view.show();
    }

    seek(seconds) {
      this.at = Math.min(seconds, there(this.take));
      if (this.playing) this.#start(this.at, false);
      this.view.show();
    }

    loop(on) {
      this.loops = on;
      if (this.playing) this.#start(this.position, true);
      this.view.show();
    }

    // What is played over and over, in seconds, or null.
    get looped() {
      if (!this.loops || !this.take || this.take.growing) return null;
      return this.take.region ?? { start: 0, end: this.take.seconds };
    }

    // From `position` on. With `follow` what plays now goes on until the new sound is there, and the position with it.
    async #start(position, follow) {
      const { take } = this;
      const turn = (this.turn = {}); // what is asked later wins
      this.playing = true;
      this.view.show();
      try {
        const context = shared.context(take.rate);
        const buffer = take.growing ? null : await shared.decoded(take.file?.url ?? take.url, context);
        const awake = await shared.awake(context);
        if (this.turn !== turn) return;
        if (!awake) return this.#hush(PRESS);
        const when = shared.soon(context);
        const { voice } = this; // the new sound falls in with the old one to the sample
        this.#sound(take, context, buffer, !follow || !voice ? position : voice.context === context ? voice.reached(when) : voice.now, when);
        this.view.run();
      } catch (error) {
        console.error(error);
        if (this.turn === turn) this.#hush(GONE, true);
      }
    }

    #sound(take, context, buffer, position, when) {
      const before = this.voice;
      const loop = this.looped;
      const most = buffer ? buffer.duration : take.seconds;
      const place = loop && (position < loop.start || position >= loop.end) ? loop.start : position >= most && buffer ? 0 : position;
      this.out = shared.outlet(context, this.volume);
      const given = { position: place, loop, gain: take.gain ?? 1, when, ended: () => this.voice === voice && this.#ended() };
      const voice = take.growing ? new shared.LiveVoice(context, take.growing, this.out, given) : new shared.FixedVoice(context, buffer, this.out, given);
      before?.stop(before.context === context ? when : undefined);
      this.voice = voice;
      this.view.say("");
    }

    #hush(words, isError = false) {
      this.#silence();
      this.view.show();
      this.view.say(words, isError);
    }

    #silence() {
      this.turn = null;
      this.playing = false;
      if (!this.voice) return;
      this.voice.stop();
      shared.rest(this.voice.context);
      this.voice = null;
    }

    #ended() {
      this.#silence();
      this.at = 0;
      this.view.show();
    }

    set loudness(value) {
      this.volume = value ** 2; // even steps to the ear
      if (this.out) this.out.gain.setTargetAtTime(this.volume, this.out.context.currentTime, 0.02);
    }

    // --- regions ---------------------------------------------------------------------------------------------------------------------

    #marked(region, done) {
      this.take.region = region;
      if (this.playing && this.loops && done) this.#start(this.position, true);
      this.view.show();
      if (done) this.link.tell.region({ take: this.take.id, start: region?.start ?? null, end: region?.end ?? null });
    }

    // --- hands -----------------------------------------------------------------------------------------------------------------------

    #listen() {
      const acts = {
        play: () => (this.playing ? this.pause() : this.play()),
        stop: () => this.stop(),
        loop: () => this.loop(!this.loops),
        mark: () => this.region.mark(),
        clear: () => this.region.clear(),
      };
      this.root.addEventListener("click", (event) => acts[event.target.closest("[data-do]")?.dataset.do]?.());
      this.root.addEventListener("keydown", (event) => {
        if (event.key !== " " || event.target.closest("button, input, summary")) return;
        event.preventDefault();
        acts.play();
      });
      this.volume = 1;
      this.parts.volume.addEventListener("input", () => (this.loudness = Number(this.parts.volume.value) / 100));
      this.parts.cards.addEventListener("change", (event) => this.pick(event.target.value));
    }

    // What a run is given: the chosen take, its region and the position.
    get state() {
      const { take } = this;
      return take && !take.growing ? { take: take.id, start: take.region?.start ?? null, end: take.region?.end ?? null, position: this.position } : null;
    }
  }

  // Seconds of the take that have come.
  const there = (take) => (take.growing ?? take).seconds;

  shared.Player = Player;
})();
