// The parts of the mask editor on the page: buttons, sliders, the stage, the status line. Knows their names, not what they do.
(() => {
  "use strict";
  const shared = (window.atelierMask ??= {});

  const ICONS = {
    brush: '<path d="M16.5 3.5 8.6 11.4M16.5 3.5c.8.800.8 1.700 0 2.5L10.6 12.9 8.6 11.4"/><path d="M8.200 11.6c-3.200-.4-3.4 2.9-5.4 4 2.800 1.5 7.200 1 7.300-2.200"/>',
    eraser: '<path d="m3.5 12 7.6-7.6a1.5 1.5 0 0 1 2.1 0l2.9 2.9a1.5 1.5 0 0 1 0 2.1L9.5 16H6.700l-3.200-3.200a.6.6 0 0 1 0-.8zM7.6 8l5 5M9.5 16H17"/>',
    rectangle: '<path stroke-dasharray="2.6 2" d="M3.5 5h13v10h-13z"/>',
    ellipse: '<ellipse stroke-dasharray="2.6 2" cx="10" cy="10" rx="7" ry="5.5"/>',
    lasso: '<path d="M6.300 12.300C4.300 11.5 3 10.1 3 8.5 3 6 6.1 4 10 4s7 2 7 4.5S13.9 13 10 13c-.9 0-1.800-.1-2.6-.3"/><circle cx="6.300" cy="13" r="1.5"/><path d="M6.5 14.5c.4 1-.2 2-1.5 2.5"/>',
    flood: '<path d="m8.5 3.5 6.800 6.800-5.4 5.4a1.200 1.200 0 0 1-1.700 0L3.4 11a1.200 1.200 0 0 1 0-1.700l5.800-5.200M3.200 10.300h12"/><path d="M17 12.800c1 1.5 1.300 3.200 0 3.200s-1-1.700 0-3.200z"/>',
    undo: '<path d="M7 4.5 3.5 8 7 11.5M3.5 8H12c3 0 4.800 1.9 4.800 4.200S15 16.200 12.5 16.200"/>',
    redo: '<path d="M13 4.5 16.5 8 13 11.5M16.5 8H8c-3 0-4.800 1.9-4.800 4.200S5 16.200 7.5 16.200"/>',
    out: '<path d="M5 10h10"/>',
    into: '<path d="M5 10h10M10 5v10"/>',
    fit: '<path d="M4 7.5V4h3.5M12.5 4H16v3.5M16 12.5V16h-3.5M7.5 16H4v-3.5"/>',
  };

  const icon = (name) => `<svg viewBox="0 0 20 20" aria-hidden="true">${ICONS[name]}</svg>`;
  const tool = (name, label, key, hint) =>
    `<button type="button" data-tool="${name}" aria-pressed="false" aria-label="${label}" aria-keyshortcuts="${key}" title="${label} (${key}): ${hint}">${icon(name)}</button>`;
  const small = (action, label, key, name, keys = key) =>
    `<button type="button" data-do="${action}" aria-label="${label}" aria-keyshortcuts="${keys}" title="${label} (${key})">${icon(name)}</button>`;
  const words = (action, text, title, keys = "") =>
    `<button type="button" class="words" data-do="${action}" title="${title}"${keys && ` aria-keyshortcuts="${keys}"`}>${text}</button>`;
  const slider = (name, label, title, least, most, value) =>
    `<label class="slider" data-part="${name}-row" title="${title}"><span>${label}</span>` +
    `<input type="range" data-part="${name}" min="${least}" max="${most}" value="${value}" aria-label="${label}"><output data-part="${name}-shown"></output></label>`;

  const KEYS =
    "Arrow keys move the cursor, Shift makes them slow. Enter or Space paints there or sets a corner; Shift+Enter draws a line. " +
    "Alt+arrow keys move the mask, Ctrl+up and Ctrl+down grow and shrink it. Plus and minus zoom, 0 fits. Space and drag moves the picture.";

  const LAYOUT = `
    <div class="tools" role="toolbar" aria-label="Mask tools" data-part="tools">
      <div class="group">
        ${tool("brush", "Brush", "B", "paint what should change")}
        ${tool("eraser", "Eraser", "E", "take away from the mask")}
        ${tool("rectangle", "Rectangle", "R", "drag from corner to corner; Alt takes away")}
        ${tool("ellipse", "Ellipse", "O", "drag from corner to corner; Alt takes away")}
        ${tool("lasso", "Lasso", "L", "draw around an area; Alt takes away")}
        ${tool("flood", "Flood", "F", "everything of about the colour that you press on; Alt takes away")}
      </div>
      <div class="group">
        ${small("undo", "Undo", "Ctrl+Z", "undo", "Control+Z")}
        ${small("redo", "Redo", "Ctrl+Shift+Z", "redo", "Control+Shift+Z")}
      </div>
      ${words("subject", "Select subject", "Find the main thing in the picture (S); in the last rectangle, where one was drawn", "S")}
    </div>
    <div class="settings" data-part="settings">
      ${slider("size", "Size", "Width of the brush in pixels of the picture ( [ and ] )", 0, 100, 50)}
      ${slider("tolerance", "Tolerance", "How far a colour may differ", 0, 128, 24)}
      <label class="check" data-part="away-row" title="Shapes take away from the mask, as with Alt"><input type="checkbox" data-part="away"> Take away</label>
    </div>
    <div class="stage" data-part="stage">
      <canvas class="picture" aria-hidden="true"></canvas>
      <canvas class="overlay" aria-hidden="true"></canvas>
      <canvas class="guide" data-part="canvas" tabindex="0" role="application" aria-label="Picture and mask" aria-description="${KEYS}"></canvas>
      <div class="empty" data-part="empty">
        <button type="button" class="words strong" data-do="choose">Choose a picture</button>
        <p>or drop one here, or paste it</p>
      </div>
    </div>
    <div class="below">
      <p class="line" role="status" aria-live="polite" data-part="line"></p>
      <div class="zoom group" data-part="zoom">
        ${small("out", "Zoom out", "-", "out")}<output data-part="zoom-shown">100 %</output>${small("into", "Zoom in", "+", "into")}${small("fit", "Fit", "0", "fit")}
      </div>
    </div>
    <ul class="notes" data-part="notes" aria-label="About this picture"></ul>
    <div class="pictures" data-part="pictures">
      ${words("choose", "Another picture", "Choose another picture; this one stays one step back")}
      ${words("back", "Step back", "Step back to the picture before this one, with its mask")}
      ${words("forward", "Forward", "Forward again to the picture you came back from, with its mask")}
      ${words("remove", "Remove", "Remove this picture and its mask, here and from this browser's memory")}
    </div>
    <details class="more" data-part="more"><summary>More</summary>
      <div class="settings">
        ${slider("hardness", "Hardness", "How sharp the edge of the brush is", 0, 100, 100)}
        ${slider("opacity", "Opacity", "How strongly a stroke marks; less lets the picture keep more of itself there", 5, 100, 100)}
        <label class="number" title="What a pen changes by pressing more or less">Pen pressure <select data-part="pressure" aria-label="Pen pressure">
          <option value="radius">changes the size</option><option value="opacity">changes the opacity</option><option value="">changes nothing</option>
        </select></label>
      </div>
      <div class="row">
        ${words("background", "Select background", "Everything but the main thing in the picture")}
        ${words("invert", "Invert", "Select what is not selected (I)", "I")}
        ${words("clear", "Clear", "Select nothing (Delete)", "Delete")}
      </div>
      <div class="row named">
        <label class="text">Select by name <input type="text" data-part="name" maxlength="200" placeholder="dog, red car" aria-describedby="mask-naming"></label>
        ${words("named", "Select", "Find what has this name; several with commas between them")}
        <p class="why" id="mask-naming" data-part="naming" hidden></p>
      </div>
      <div class="row">
        ${words("grow", "Grow", "Make the mask wider on all sides")}
        ${words("shrink", "Shrink", "Make the mask narrower on all sides")}
        <label class="number">by <input type="number" data-part="distance" min="1" max="250" value="8" inputmode="numeric" aria-label="Pixels to grow or shrink by"> px</label>
      </div>
      <div class="row">
        ${words("upload", "Upload a mask", "A picture whose light or opaque parts are the mask, of any size")}
        ${words("download", "Download the mask", "The mask as a PNG of the picture's size: white may change")}
      </div>
      <p class="keys">${KEYS}</p>
    </details>
    <input type="file" accept="image/*" hidden data-part="file" aria-label="Picture file">
    <input type="file" accept="image/*" hidden data-part="mask-file" aria-label="Mask file">`;

  // Builds the parts into `root`; returns them by name.
  shared.panel = (root) => {
    root.innerHTML = LAYOUT;
    const parts = {};
    for (const part of root.querySelectorAll("[data-part]")) parts[part.dataset.part] = part;
    return parts;
  };
})();
