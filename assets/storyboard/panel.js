// One panel of a storyboard: the picture or the words for one, its caption, its sound, and what moves it. Knows no other panel, no studio.
(() => {
  "use strict";
  const shared = (window.atelierStoryboard ??= {});
  const { element, button } = window.atelierLibrary;

  const ORIGINS = { machine: "AI words", edited: "AI words, edited" };

  // Says who wrote the caption, where a writer drafted it.
  shared.told = (mark, { origin, caption }) => {
    if (!mark) return;
    mark.textContent = (caption && ORIGINS[origin]) || "";
    mark.hidden = !mark.textContent;
  };

  // `acts`: move(way), take(), caption(words), picture(words), paint(), sound(id), play(), open(). `place` counts from 1.
  shared.panel = (item, place, count, sounds, acts) => {
    const words = item.caption || item.told || "without words";
    const picture = element("img", { alt: "", draggable: false, hidden: true });
    const keys = "Alt and arrow keys move it, Delete takes it out";
    const inside = item.waits ? [element("span", { className: "none", text: "No picture yet" })] : [picture, element("span", { className: "ai", text: "AI" })];
    const face = element("button", { type: "button", className: "face", draggable: true, title: item.waits ? `No picture yet. ${keys}` : `Show it large. ${keys}`, "aria-label": `Panel ${place} of ${count}: ${words}. ${keys}` },
      ...inside, element("span", { className: "place", text: String(place) }));
    const caption = element("textarea", { rows: 2, maxLength: 1000, value: item.caption, placeholder: item.told, dir: "auto", "aria-label": `Caption of panel ${place}` });
    caption.addEventListener("change", () => acts.caption(caption.value));
    const origin = element("span", { className: "origin" });
    shared.told(origin, item);
    const seen = item.waits ? element("textarea", { rows: 3, maxLength: 1000, value: item.picture, dir: "auto", className: "seen", "aria-label": `Words for the picture of panel ${place}` }) : null;
    seen?.addEventListener("change", () => acts.picture(seen.value));
    face.addEventListener("click", item.waits ? () => seen.focus() : acts.open);
    const paint = item.waits ? button("Make picture", acts.paint, { className: "words paint", "aria-label": `Make the picture of panel ${place}`, title: "Takes the words to Text to image; what is made from them and sent here takes this place" }) : null;
    const chosen = sounds.some(([id]) => id === item.sound) || !item.sound ? [] : [[item.sound, item.heard]];
    const sound = element("select", { "aria-label": `Sound of panel ${place}` }, element("option", { value: "", text: "No sound" }), ...[...chosen, ...sounds].map(([value, text]) => element("option", { value, text: text || "A sound" })));
    sound.value = item.sound;
    sound.addEventListener("change", () => acts.sound(sound.value));
    const play = button("Play", acts.play, { className: "words play", hidden: !item.sound, "aria-label": `Play the sound of panel ${place}` });
    const row = element("div", { className: "row" }, paint,
      button("Earlier", () => acts.move(-1), { className: "words", disabled: place === 1, "aria-label": `Move panel ${place} earlier` }),
      button("Later", () => acts.move(1), { className: "words", disabled: place === count, "aria-label": `Move panel ${place} later` }),
      button("Take out", acts.take, { className: "words", "aria-label": `Take panel ${place} out` }));
    const root = element("li", { className: "panel", data: { id: item.id } }, face, caption, origin, seen, sounds.length || item.sound ? element("div", { className: "row heard" }, sound, play) : null, row);
    root.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
      if (event.altKey && event.key in ways) acts.move(ways[event.key]);
      else if (event.key === "Delete" && event.target === face) acts.take();
      else return;
      event.preventDefault();
    });
    return { root, face, picture, play, origin };
  };
})();
