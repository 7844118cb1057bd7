// Draws sound: the waveform with what was played, a small one for cards, and notes as a piano roll. Crisp on every screen; colours come
// from the style sheet. Knows nothing of playing.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const [STEP, THICK] = [4, 2.5]; // CSS pixels from one bar of the waveform to the next, and its width
  const PARTS = 6; // colours of parts in the style sheet; more parts share them

  // The canvas at the size it is shown at; null while it is not.
  const sheet = (canvas) => {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return null;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return { pen, width, height };
  };

  const colours = (element) => {
    const style = getComputedStyle(element);
    return (name) => style.getPropertyValue(`--player-${name}`).trim();
  };

  // `take` with its peaks; `played` from 0 to 1; `region` {start, end} in seconds or null.
  shared.drawWave = (canvas, take, { played = 0, region = null, lines = true, step = STEP } = {}) => {
    const on = sheet(canvas);
    if (!on) return;
    const { pen, width, height } = on;
    const colour = colours(canvas);
    if (lines) drawBars(on, take, colour("grid"));
    const filled = take.growing && take.seconds ? take.growing.seconds / take.seconds : 1;
    const apart = width / Math.max(1, Math.floor(width / step));
    const count = Math.max(1, Math.floor((width / apart) * filled));
    const most = Math.max(0.05, ...take.peaks.map(([low, high]) => Math.max(-low, high)));
    const scale = (height / 2 - 3) / Math.max(most, 0.25); // quiet takes stay small, very quiet ones do not vanish
    const thick = (THICK * step) / STEP;
    const within = (x) => !region || (x >= (region.start / take.seconds) * width && x <= (region.end / take.seconds) * width);
    shared.columns(take.peaks, count).forEach(([low, high], i) => {
      const x = (i + 0.5) * apart;
      pen.fillStyle = colour(x / width < played ? "played" : within(x) ? "wave" : "outside");
      const [up, down] = [Math.max(1, high * scale), Math.max(1, -low * scale)];
      pen.beginPath();
      pen.roundRect(x - thick / 2, height / 2 - up, thick, up + down, thick / 2);
      pen.fill();
    });
    if (!lines || !(played > 0 && played < 1)) return;
    pen.fillStyle = colour("played");
    pen.fillRect(Math.round(played * width) - 0.75, 0, 1.5, height);
  };

  // Bar lines, as many as leave room between them.
  const drawBars = ({ pen, width, height }, take, colour) => {
    const bar = shared.bar(take);
    if (!bar || !take.seconds) return;
    const pixels = (bar / take.seconds) * width;
    const every = [1, 2, 4, 8, 16, 32, 64].find((many) => many * pixels >= 24) ?? 128;
    pen.fillStyle = colour;
    for (let at = (take.first || 0) + every * bar; at < take.seconds - bar / 2; at += every * bar)
      pen.fillRect(Math.round((at / take.seconds) * width), 0, 1, height);
  };

  // Notes {start, seconds, pitch, part} over the take's seconds, with an octave of room; drums lie in a band of their own below.
  shared.drawRoll = (canvas, take) => {
    const on = sheet(canvas);
    if (!on || !take.notes?.length) return;
    const { pen, width, height } = on;
    const colour = colours(canvas);
    drawBars(on, take, colour("grid"));
    const pitches = take.notes.map(({ pitch }) => pitch);
    const [low, high] = [Math.min(...pitches) - 1, Math.max(...pitches) + 1];
    const row = height / (high - low + 1);
    for (let c = Math.ceil(low / 12) * 12; c <= high; c += 12) {
      pen.fillStyle = colour("grid");
      pen.fillRect(0, Math.round((high - c + 1) * row), width, 1);
    }
    const parts = shared.parts(take);
    for (const { start, seconds, pitch, part } of take.notes) {
      pen.fillStyle = colour(`part-${parts.indexOf(part) % PARTS}`);
      const wide = Math.max(2, (seconds / take.seconds) * width - 0.5);
      pen.beginPath();
      pen.roundRect((start / take.seconds) * width, (high - pitch) * row + 0.5, wide, Math.max(2, row - 1), Math.min(2, row / 2));
      pen.fill();
    }
  };

  // The names of the parts that play, in the order in which they enter.
  shared.parts = (take) => [...new Set((take.notes ?? []).map(({ part }) => part))];

  const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
  const named = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

  // The roll in one sentence, for who cannot see it.
  shared.rollWords = (take) => {
    const pitches = take.notes.map(({ pitch }) => pitch);
    const parts = shared.parts(take);
    return `${take.notes.length} notes from ${named(Math.min(...pitches))} to ${named(Math.max(...pitches))} in ${parts.length} part${parts.length === 1 ? "" : "s"}: ${parts.join(", ")}.`;
  };
})();
