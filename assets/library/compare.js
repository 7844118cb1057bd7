// Two to four creations beside one another: pictures under a slider or side by side, texts with their differences marked. Sounds play in
// the player, equally loud.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});
  const { element, button } = shared;

  const label = () => element("span", { className: "ai", text: "AI" });
  const short = (item, most = 60) => (shared.titled(item).length > most ? `${shared.titled(item).slice(0, most)}…` : shared.titled(item));
  const shownAs = (item, words) => element("figcaption", {}, label(), ` ${words ? `${words}: ` : ""}${short(item)}`);
  const figure = (item) => element("figure", {}, element("img", { src: item.file.url, alt: shared.titled(item) }), shownAs(item));

  // Two pictures in one frame; the slider says how much of the second is seen.
  const wipe = ([first, second]) => {
    const frame = element("div", { className: "wipe" }, element("img", { src: first.file.url, alt: `Left: ${shared.titled(first)}` }), element("img", { className: "over", src: second.file.url, alt: `Right: ${shared.titled(second)}` }), element("div", { className: "edge" }));
    const slider = element("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": "How much of each picture is seen" });
    slider.addEventListener("input", () => frame.style.setProperty("--at", `${slider.value}%`));
    frame.style.setProperty("--at", "50%");
    frame.append(slider);
    return element("div", { className: "wiped" }, frame, element("div", { className: "captions" }, element("figure", {}, shownAs(first, "Left")), element("figure", {}, shownAs(second, "Right"))));
  };

  const pictures = (items) => {
    const place = element("div", { className: "pictures" });
    const beside = () => element("div", { className: "beside" }, ...items.map(figure));
    if (items.length !== 2) return [beside()];
    const ways = { Slider: () => wipe(items), "Side by side": beside };
    const buttons = Object.entries(ways).map(([name, make]) => {
      const made = button(name, () => {
        place.replaceChildren(make());
        for (const one of buttons) one.setAttribute("aria-pressed", String(one === made));
      }, { "aria-pressed": "false" });
      return made;
    });
    buttons[0].click();
    return [element("div", { className: "row", role: "group", "aria-label": "How to compare" }, ...buttons), place];
  };

  const KINDS = { added: "ins", removed: "del" };

  // Each text as pieces [kind, words]; the first is whole, the others say what differs from it.
  const texts = (items) => [element("div", { className: "beside" }, ...items.map((item, i) => element("figure", {}, shownAs(item, i ? "Against the first" : ""),
    element("div", { className: "text", tabIndex: 0, role: "region", "aria-label": shared.titled(item) }, element("p", {}, ...item.pieces.map(([kind, words]) => (KINDS[kind] ? element(KINDS[kind], { text: words }) : document.createTextNode(words))))))))];

  const differences = (rows, items) => {
    if (!rows.length) return null;
    const head = element("tr", {}, element("td"), ...items.map((item, i) => element("th", { scope: "col", text: `${i + 1}. ${short(item, 40)}` })));
    const body = rows.map(([what, ...values]) => element("tr", {}, element("th", { scope: "row", text: what }), ...values.map((value) => element("td", { text: value || "none" }))));
    return element("div", { className: "differing", tabIndex: 0, role: "region", "aria-label": "What was asked differently" }, element("table", {}, element("caption", { text: "What was asked differently" }), element("tbody", {}, head, ...body)));
  };

  // The parts of a comparison {medium, items, rows}.
  shared.comparison = ({ medium, items, rows, words }, close) => {
    const heading = element("header", {}, element("div", { className: "turns" }, button("Back to all", close, { className: "words" })),
      element("h3", { text: `Comparing ${items.length} ${{ picture: "pictures", sound: "sounds", text: "texts" }[medium]}`, tabIndex: -1 }),
      element("p", { className: "made" }, label(), ` Made by a machine. ${words}`));
    const shown = medium === "picture" ? pictures(items) : medium === "text" ? texts(items) : [];
    return [heading, ...shown, differences(rows, items)].filter(Boolean);
  };
})();
