// Sound that plays: a finished take as an AudioBuffer, and one that still grows while an engine writes it. Knows no page.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const PEAK = 1024; // samples of a growing sound in one column of its waveform
  const REST = 4000; // ms of silence after which the sound card is let go
  const KEPT = 4; // decoded takes: 30 s in stereo take 11 MB

  // --- sound cards -------------------------------------------------------------------------------------------------------------------

  // One context a rate: sound is then handed to the browser sample by sample and only resampled behind everything, so that neither the
  // seams of a loop nor those of live chunks are ever interpolated.
  const contexts = new Map();

  shared.context = (rate) => {
    if (!contexts.has(rate)) {
      try {
        contexts.set(rate, new AudioContext({ sampleRate: rate, latencyHint: "playback" }));
      } catch {
        contexts.set(rate, new AudioContext()); // a rate that the browser does not take is resampled
      }
    }
    const context = contexts.get(rate);
    clearTimeout(context.resting);
    return context;
  };

  shared.rest = (context) => {
    clearTimeout(context.resting);
    context.resting = setTimeout(() => context.suspend(), REST);
  };

  // Whether the browser lets the context sound: after any gesture on the page in most, only within one in some.
  shared.awake = async (context) => {
    if (context.state !== "running") await Promise.race([context.resume(), new Promise((done) => setTimeout(done, 400))]);
    return context.state === "running";
  };

  // Where sound leaves for the loudspeaker, at the volume that was chosen.
  shared.outlet = (context, volume) => {
    context.outlet ??= connected(new GainNode(context), context.destination);
    context.outlet.gain.value = volume;
    return context.outlet;
  };

  const connected = (node, to) => {
    node.connect(to);
    return node;
  };

  // --- finished sound ----------------------------------------------------------------------------------------------------------------

  // Plays `buffer` on any context, offline ones too, from `position` seconds at the time `when`; `loop` {start, end} in seconds or null.
  shared.wire = (context, buffer, { position = 0, loop = null, when = 0 }, to) => {
    const source = new AudioBufferSourceNode(context, { buffer, loop: Boolean(loop) });
    const frame = (seconds) => shared.exact(Math.round(seconds * buffer.sampleRate), buffer.sampleRate);
    if (loop) [source.loopStart, source.loopEnd] = [frame(loop.start), Math.min(frame(loop.end), buffer.duration)];
    source.connect(to);
    source.start(when, frame(position));
    return source;
  };

  // What a loop sounds like, as the player plays it: `seconds` of it from its start, rendered offline. Gives an AudioBuffer.
  shared.loopRender = (buffer, loop, seconds) => {
    const context = new OfflineAudioContext(buffer.numberOfChannels, Math.round(seconds * buffer.sampleRate), buffer.sampleRate);
    shared.wire(context, buffer, { position: loop.start, loop }, context.destination);
    return context.startRendering();
  };

  // The next whole frame a moment from now: sound that begins between two frames would be interpolated.
  const soon = (context) => shared.exact(Math.ceil((context.currentTime + 0.01) * context.sampleRate), context.sampleRate);

  const silence = (gain, when) => {
    if (gain.cancelAndHoldAtTime) gain.cancelAndHoldAtTime(when);
    else gain.cancelScheduledValues(when).setValueAtTime(gain.value, when);
    gain.linearRampToValueAtTime(0, when + shared.FADE);
  };

  // One playing of a finished take. Fades in from `when` and, once stopped, out: both too short to hear, long enough not to click.
  class FixedVoice {
    constructor(context, buffer, out, { position, loop, gain = 1, when = soon(context), ended }) {
      Object.assign(this, { context, position, loop, when, seconds: buffer.duration });
      this.level = new GainNode(context, { gain: position > 0 ? 0 : gain });
      if (position > 0) this.level.gain.setValueAtTime(0, when).linearRampToValueAtTime(gain, when + shared.FADE);
      this.level.connect(out);
      this.source = shared.wire(context, buffer, { position, loop, when }, this.level);
      this.source.onended = () => this.stopped || ended();
    }

    get now() {
      return this.reached(this.context.currentTime);
    }

    // The second of the take that plays at a time of the context. Its clock may tick between two looks at it.
    reached(time) {
      const at = this.position + Math.max(0, time - this.when);
      if (!this.loop) return Math.min(at, this.seconds);
      const { start, end } = this.loop;
      return at < end ? at : start + ((at - start) % (end - start));
    }

    stop(when = this.context.currentTime) {
      this.stopped = true;
      silence(this.level.gain, when);
      this.source.stop(when + shared.FADE);
    }
  }

  // --- growing sound -----------------------------------------------------------------------------------------------------------------

  // The sound of a run as far as it has come. Chunks may come twice; one that leaves a gap is not taken: the finished take will have all.
  class Growing {
    constructor({ run, rate, channels }) {
      Object.assign(this, { run, rate, ready: 0, complete: false, peaks: [] });
      this.data = Array.from({ length: channels }, () => new Float32Array(rate * 16));
    }

    get seconds() {
      return this.ready / this.rate;
    }

    // Whether the chunk brought anything.
    add({ offset, pcm, channels }) {
      const samples = shared.samples(pcm, channels);
      const skip = this.ready - offset;
      const fresh = samples[0].length - skip;
      if (skip < 0 || fresh <= 0 || channels !== this.data.length) return false;
      while (this.ready + fresh > this.data[0].length) this.data = this.data.map((old) => concat(old, old.length * 2));
      this.data.forEach((all, channel) => all.set(samples[channel].subarray(skip), this.ready));
      this.ready += fresh;
      this.#measure();
      return true;
    }

    #measure() {
      for (let from = this.peaks.length * PEAK; from + PEAK <= this.ready; from += PEAK) {
        let [least, most] = [0, 0];
        for (const all of this.data)
          for (let i = from; i < from + PEAK; i += 1) [least, most] = [Math.min(least, all[i]), Math.max(most, all[i])];
        this.peaks.push([least, most]);
      }
    }

    buffer(context, from, to) {
      const buffer = new AudioBuffer({ numberOfChannels: this.data.length, length: to - from, sampleRate: this.rate });
      this.data.forEach((all, channel) => buffer.copyToChannel(all.subarray(from, to), channel));
      return buffer;
    }
  }

  const concat = (old, length) => {
    const all = new Float32Array(length);
    all.set(old);
    return all;
  };

  // One playing of a growing sound: hands what has come to the clock, end to end at exact frames. Call `feed` whenever more has come.
  class LiveVoice {
    constructor(context, sound, out, { position, ended, gain = 1 }) {
      Object.assign(this, { context, sound, ended, sources: [] });
      this.plan = { position: Math.round(position * sound.rate) };
      this.gate = new GainNode(context);
      this.level = new GainNode(context, { gain });
      this.gate.connect(this.level).connect(out);
      this.feed();
    }

    feed() {
      const { context, sound, gate } = this;
      const { rate } = sound;
      const before = this.plan.fade;
      const state = { ready: sound.ready, complete: sound.complete, rate, now: Math.ceil(context.currentTime * rate) };
      const plan = (this.plan = shared.schedule(this.plan, state));
      const time = (frame) => shared.exact(frame, rate);
      if (plan.fade !== before && before != null && !plan.fresh) gate.gain.cancelScheduledValues(time(before));
      if (plan.fresh) {
        gate.gain.cancelScheduledValues(time(plan.start.at));
        const level = plan.start.from ? 0 : 1;
        gate.gain.setValueAtTime(level, time(plan.start.at)).linearRampToValueAtTime(1, time(plan.start.at) + shared.FADE);
      }
      if (plan.fade != null && plan.fade !== before)
        gate.gain.setValueAtTime(1, time(plan.fade)).linearRampToValueAtTime(0, time(plan.fade) + shared.FADE);
      if (plan.start) this.#play(plan.start, time(plan.start.at));
      if (sound.complete && sound.ready <= plan.position) setTimeout(() => this.stopped || this.ended());
    }

    #play({ from, to }, when) {
      const source = shared.wire(this.context, this.sound.buffer(this.context, from, to), { when }, this.gate);
      this.sources.push(source);
      source.onended = () => {
        this.sources = this.sources.filter((other) => other !== source);
        if (!this.stopped && this.sound.complete && to === this.sound.ready) this.ended();
      };
    }

    get waiting() {
      const { base, planned } = this.plan;
      return base === null || this.context.currentTime * this.sound.rate >= base + planned;
    }

    get now() {
      return this.reached(this.context.currentTime);
    }

    reached(time) {
      const { base, position, planned } = this.plan;
      if (base === null) return position / this.sound.rate;
      return Math.min(planned, Math.max(position, time * this.sound.rate - base)) / this.sound.rate;
    }

    stop(when = this.context.currentTime) {
      this.stopped = true;
      silence(this.level.gain, when);
      for (const source of this.sources) source.stop(when + shared.FADE);
    }
  }

  // --- decoded takes -----------------------------------------------------------------------------------------------------------------

  const decoded = new Map(); // address: a promise of an AudioBuffer, the last used last

  shared.decoded = (url, context) => {
    const found = decoded.get(url) ?? read(url, context);
    decoded.delete(url);
    decoded.set(url, found);
    if (decoded.size > KEPT) decoded.delete(decoded.keys().next().value);
    found.catch(() => decoded.delete(url)); // a take that failed may be asked for again
    return found;
  };

  const read = async (url, context) => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} for the sound`);
    return context.decodeAudioData(await response.arrayBuffer());
  };

  Object.assign(shared, { soon, FixedVoice, LiveVoice, Growing });
})();
