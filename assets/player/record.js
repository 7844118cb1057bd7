// A melody from the microphone as the reference of a run: recorded by the browser, handed to the form as a WAV file. Nothing leaves the
// page before the recording is stopped.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const MOST = 60; // seconds of a recording
  const ASK = "Record a melody";
  const NONE = "This browser gives no microphone to a page without https: record elsewhere and choose the file.";
  const REFUSED = "The microphone was not allowed or is missing: allow it in the browser, then try again.";
  const FULL = "Take the file out of the field first.";

  // One channel of samples as a WAV file of 16 bits.
  shared.wav = (samples, rate) => {
    const data = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const word = (at, text) => [...text].forEach((letter, i) => data.setUint8(at + i, letter.charCodeAt(0)));
    word(0, "RIFF");
    data.setUint32(4, 36 + 2 * samples.length, true);
    word(8, "WAVEfmt ");
    data.setUint32(16, 16, true);
    data.setUint16(20, 1, true);
    data.setUint16(22, 1, true);
    data.setUint32(24, rate, true);
    data.setUint32(28, 2 * rate, true);
    data.setUint16(32, 2, true);
    data.setUint16(34, 16, true);
    word(36, "data");
    data.setUint32(40, 2 * samples.length, true);
    samples.forEach((value, i) => data.setInt16(44 + 2 * i, Math.round(32767 * Math.max(-1, Math.min(1, value))), true));
    return data.buffer;
  };

  const field = () => document.querySelector(".reference-field input[type=file]");

  const handOver = async (pieces) => {
    const context = new AudioContext();
    const sound = await context.decodeAudioData(await new Blob(pieces).arrayBuffer());
    await context.close();
    const mixed = new Float32Array(sound.length);
    for (let c = 0; c < sound.numberOfChannels; c += 1) sound.getChannelData(c).forEach((value, i) => (mixed[i] += value / sound.numberOfChannels));
    const files = new DataTransfer();
    files.items.add(new File([shared.wav(mixed, sound.sampleRate)], "recording.wav", { type: "audio/wav" }));
    const input = field();
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  shared.attachRecorder = (element) => {
    const [button, line] = [element.querySelector("button"), element.querySelector("p")];
    let recorder = null;
    const say = (sentence) => (line.textContent = sentence);
    button.addEventListener("click", async () => {
      if (recorder) return recorder.stop();
      if (!navigator.mediaDevices?.getUserMedia) return say(NONE);
      if (!field()) return say(FULL);
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => null);
      if (!stream) return say(REFUSED);
      const pieces = [];
      recorder = new MediaRecorder(stream);
      recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
      recorder.addEventListener("stop", async () => {
        clearTimeout(end);
        stream.getTracks().forEach((track) => track.stop());
        recorder = null;
        button.textContent = ASK;
        await handOver(pieces).then(() => say(""), () => say("Nothing was heard: record a little longer."));
      });
      const end = setTimeout(() => recorder?.stop(), MOST * 1000);
      recorder.start();
      button.textContent = "Stop recording";
      say(`Recording, at most ${MOST} seconds.`);
    });
  };
})();
