// The parts of the player on the page. Knows their names, not what they do.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const ICONS = {
    play: '<path class="solid" d="M7 4.5v11l9-5.5z"/>',
    pause: '<path class="solid" d="M5.5 4.5h3v11h-3zM11.5 4.5h3v11h-3z"/>',
    stop: '<path class="solid" d="M5.5 5.5h9v9h-9z"/>',
    loop: '<path d="M4 9.5V9a3.5 3.5 0 0 1 3.5-3.5h8m-2.5-3 3 3-3 3M16 10.5v.5a3.5 3.5 0 0 1-3.5 3.5h-8m2.5 3-3-3 3-3"/>',
    region: '<path d="M7 4H4.5v12H7M13 4h2.5v12H13M8.5 10h3"/>',
    volume: '<path d="M3.5 8v4h2.5l4 3.5v-11L6 8zM13 7.5a3.5 3.5 0 0 1 0 5M15.2 5.2a6.800 6.800 0 0 1 0 9.600"/>',
  };

  const icon = (name) => `<svg viewBox="0 0 20 20" aria-hidden="true" data-icon="${name}">${ICONS[name]}</svg>`;
  const button = (action, label, hint, icons = icon(action)) =>
    `<button type="button" data-do="${action}" aria-label="${label}" title="${hint}">${icons}</button>`;
  const handle = (side, label) =>
    `<div class="handle ${side}" role="slider" tabindex="0" data-part="${side}" aria-label="${label}" aria-valuemin="0"></div>`;

  const LAYOUT = `
    <p class="blank-words" data-part="blank">What you make plays here.</p>
    <div class="head"><img class="cover" data-part="cover" alt="" hidden><h3 data-part="title"></h3><p class="line" role="status" aria-live="polite" data-part="line"></p></div>
    <div class="sections" data-part="sections" role="group" aria-label="Sections"></div>
    <div class="stage" data-part="stage">
      <canvas data-part="wave" aria-hidden="true"></canvas>
      <div class="seek" role="slider" tabindex="0" data-part="seek" aria-label="Position" aria-valuemin="0" title="Click to go there, drag to mark a region (Alt: free of bars)"></div>
      <div class="region" data-part="region" hidden>${handle("start", "Region start")}${handle("end", "Region end")}</div>
    </div>
    <div class="controls" role="group" aria-label="Playing" data-part="controls">
      ${button("play", "Play", "Play or pause (Space)", icon("play") + icon("pause"))}
      ${button("stop", "Stop", "Stop and go back to the beginning")}
      ${button("loop", "Loop", "Play over and over: the region where there is one, else the whole take")}
      ${button("mark", "Mark a region", "Mark a region from here; move its ends by dragging or with the arrow keys", icon("region"))}
      <span class="time"><output data-part="now">0:00</output> <span class="of">/ <span data-part="of">0:00</span></span></span>
      <label class="volume" title="Volume">${icon("volume")}<input type="range" min="0" max="100" value="100" data-part="volume" aria-label="Volume"></label>
    </div>
    <div class="marked" data-part="marked" hidden>
      <span data-part="marked-words"></span>
      <label class="snap" data-part="snap-row"><input type="checkbox" data-part="snap" checked> Snap to bars</label>
      <button type="button" class="words" data-do="clear" title="Clear the region (Delete)">Clear region</button>
    </div>
    <fieldset class="takes" data-part="takes" hidden><legend>Takes</legend><div class="cards" data-part="cards"></div></fieldset>
    <table class="measured" data-part="facts" hidden><caption class="visually-hidden">Asked and measured</caption></table>
    <details class="fold" data-part="roll-fold" hidden><summary>Piano roll</summary>
      <div class="roll" data-part="roll-box"><canvas data-part="roll" role="img"></canvas><div class="head-line" data-part="head-line"></div></div>
      <ul class="parts" data-part="parts" aria-label="Parts"></ul>
    </details>
    <details class="fold" data-part="spectrum-fold" hidden><summary>Spectrogram</summary>
      <p class="quiet-words" data-part="spectrum-words" hidden></p><img data-part="spectrum" alt="" hidden>
    </details>`;

  // Builds the parts into `root`; returns them by name.
  shared.panel = (root) => {
    root.innerHTML = LAYOUT;
    const parts = {};
    for (const part of root.querySelectorAll("[data-part]")) parts[part.dataset.part] = part;
    return parts;
  };

  const element = (kind, { text, ...given } = {}, ...children) => {
    const made = Object.assign(document.createElement(kind), given);
    if (text !== undefined) made.textContent = text;
    made.append(...children);
    return made;
  };
  shared.element = element;

  // One card: a radio button of a group, so that arrow keys go from take to take.
  shared.card = (take, group) => {
    const input = element("input", { type: "radio", name: group, value: take.id });
    const facts = [take.growing ? "" : shared.clock(take.seconds), take.loop ? "loop" : ""].filter(Boolean).join(" · ");
    const cover = take.cover ? [element("img", { className: "cover", src: take.cover.url ?? take.cover, alt: `Cover of ${take.title}` })] : [];
    const card = element("label", { className: "card" }, input, ...cover, element("canvas", { ariaHidden: "true" }),
      element("span", { className: "name", text: take.title }), element("span", { className: "fact", text: facts }));
    return { card, input, canvas: card.querySelector("canvas") };
  };

  // Rows of facts: [what, value], [what, asked, measured] or [what, asked, measured, whether they agree].
  shared.facts = (table, rows) => {
    const compared = rows.some((row) => row.length > 2);
    const cell = (text, more = {}) => element("td", { text: text ?? "", ...more });
    const head = element("tr", {}, ...["", "Asked", "Measured"].map((text, i) => i ? element("th", { text, scope: "col" }) : element("td")));
    const body = rows.map(([what, asked, measured, agrees]) => {
      const off = agrees === false;
      const last = cell(off ? `${measured} (differs)` : measured, { className: off ? "off" : "" });
      const cells = measured === undefined ? [cell(asked, { colSpan: compared ? 2 : 1 })] : [cell(asked), last];
      return element("tr", {}, element("th", { text: what, scope: "row" }), ...cells);
    });
    table.tBodies[0]?.remove();
    table.append(element("tbody", {}, ...(compared ? [head] : []), ...body));
    table.hidden = !rows.length;
  };
})();
