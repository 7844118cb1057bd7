// What the player reckons with: times, bars, peaks, what to hand to the audio clock next. Pure functions; knows no page and no sound card.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  // Growing sound waits for BUFFER seconds before it starts, is handed over LEAD seconds ahead, and fades over FADE seconds where it
  // may run dry.
  const [BUFFER, LEAD, FADE] = [0.5, 0.05, 0.01];

  // --- words ---------------------------------------------------------------------------------------------------------------------

  // "1:05", or "1:05.2" with a tenth.
  shared.clock = (seconds, tenths = false) => {
    const steps = Math.max(0, Math.floor(seconds * 10 + 1e-6));
    const whole = Math.floor(steps / 10);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}${tenths ? `.${steps % 10}` : ""}`;
  };

  // For a screen reader: "1 minute 5 seconds".
  shared.spoken = (seconds) => {
    const [minutes, rest] = [Math.floor(seconds / 60), Math.floor(seconds % 60)];
    const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
    return minutes ? `${count(minutes, "minute")} ${count(rest, "second")}` : count(rest, "second");
  };

  // --- bars ----------------------------------------------------------------------------------------------------------------------

  // Seconds of a bar, 0 if the tempo is unknown. `bpm` counts dotted quarters in 6/8, 9/8 and 12/8, else the note below the line.
  shared.bar = ({ bpm, meter }) => {
    const [beats, unit] = (meter || "4/4").split("/").map(Number);
    if (!(bpm > 0 && beats > 0 && unit > 0)) return 0;
    return ((unit === 8 && beats > 3 && beats % 3 === 0 ? beats / 3 : beats) * 60) / bpm;
  };

  // The bar line, or end of the take, that is nearest to `seconds`.
  shared.snapped = (seconds, take) => {
    const [bar, first] = [shared.bar(take), take.first || 0];
    const inside = Math.min(take.seconds, Math.max(0, seconds));
    if (!bar) return inside;
    const line = first + Math.round((inside - first) / bar) * bar;
    if (line < 0 || Math.abs(inside) < Math.abs(inside - line)) return 0;
    return line > take.seconds - 1e-6 || take.seconds - inside < Math.abs(inside - line) ? take.seconds : line;
  };

  // How long a stretch is, in words: "2 bars" where it is whole bars, else "1.5 s".
  shared.length = (seconds, take) => {
    const bars = shared.bar(take) ? seconds / shared.bar(take) : 0;
    const whole = Math.round(bars);
    return whole && Math.abs(bars - whole) < 0.01 ? `${whole} bar${whole === 1 ? "" : "s"}` : `${seconds.toFixed(2)} s`;
  };

  // --- sound as numbers ------------------------------------------------------------------------------------------------------------

  // Interleaved 16-bit samples in base64, little-endian, as one Float32Array a channel.
  shared.samples = (base64, channels) => {
    const text = atob(base64);
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const length = Math.floor(bytes.length / 2 / channels);
    return Array.from({ length: channels }, (_, channel) =>
      Float32Array.from({ length }, (_, i) => view.getInt16(2 * (i * channels + channel), true) / 32768));
  };

  // `peaks` ([least, most] of equal stretches) as `count` stretches.
  shared.columns = (peaks, count) =>
    Array.from({ length: count }, (_, i) => {
      const from = Math.floor((i * peaks.length) / count);
      const to = Math.max(from + 1, Math.floor(((i + 1) * peaks.length) / count));
      let [least, most] = [0, 0];
      for (const [low, high] of peaks.slice(from, to)) [least, most] = [Math.min(least, low), Math.max(most, high)];
      return [least, most];
    });

  // The largest jump within `reach` samples of `at`: how far a sample lies from where the cubic through the four before it leads.
  shared.jump = (samples, at, reach = 4) => {
    let most = 0;
    for (let i = Math.max(4, at - reach); i < Math.min(samples.length, at + reach); i += 1)
      most = Math.max(most, Math.abs(samples[i] - 4 * samples[i - 1] + 6 * samples[i - 2] - 4 * samples[i - 3] + samples[i - 4]));
    return most;
  };

  // The time at which a clock of that rate stands at exactly that frame: n / rate may be a hair off once it is multiplied again, and a
  // loop end a hair before its frame would be read between two samples.
  shared.exact = (frame, rate) => {
    const time = frame / rate;
    const step = Math.max(time, 1) * Number.EPSILON;
    return [time, time + step / 2, time - step / 2, time + step, time - step].find((near) => near * rate === frame) ?? time;
  };

  // --- growing sound on a clock ------------------------------------------------------------------------------------------------------

  // What to hand over next, in samples of the sound and frames of the clock, which run at one `rate`. `state` is the answer to the call
  // before ({position} at first); `ready` samples have come, and if `complete` no more will. The answer: `base`, the frame at which
  // sample 0 plays or played (null while the sound waits); `planned`, samples handed over; `start` {from, to, at}, what to play now;
  // `fade`, the frame at which it must fade out unless more comes in time; `fresh` if it begins anew, and so fades in.
  // Sound that comes too late waits: it begins anew where the fade-out began, so that nothing is lost and nothing clicks.
  shared.schedule = (state, { ready, complete, rate, now }) => {
    const [buffer, lead, fade] = [BUFFER, LEAD, FADE].map((seconds) => Math.round(seconds * rate));
    let { base = null, planned = 0, position = 0 } = state;
    let earliest = now + lead;
    const more = ready > planned || (complete && state.fade != null);
    if (base !== null && more && earliest > base + planned - fade) {
      earliest = Math.max(earliest, base + planned);
      position = Math.max(position, planned - fade);
      base = null;
    }
    if (base !== null) {
      const start = ready > planned ? { from: planned, to: ready, at: base + planned } : null;
      return { position, base, planned: ready, start, fade: complete ? null : base + ready - fade, fresh: false };
    }
    if (ready - position < (complete ? 1 : buffer)) return { position, base, planned: position, start: null, fade: null, fresh: false };
    base = earliest - position;
    return { position, base, planned: ready, start: { from: position, to: ready, at: earliest }, fade: complete ? null : base + ready - fade, fresh: true };
  };

  shared.FADE = FADE;
  shared.LEAD = LEAD;
})();
