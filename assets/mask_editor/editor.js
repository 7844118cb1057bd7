// The mask editor as a whole: pictures in and out, steps back, selections by the server, what the browser keeps, and `collect`, which
// hands the picture and the mask to a run. One editor per page; the page talks to it through window.atelierMask.
(() => {
  "use strict";
  const shared = (window.atelierMask ??= {});

  const BACK = 8; // pictures that can be gone back to
  const SAVE = 300; // ms after a step until the browser keeps it
  const SENT = { meta: { _type: "gradio.FileData" } };
  const STOPPED = "Stopped: the selection is as it was.";
  const GONE = "The studio did not answer: check that it is running, then try again.";

  // Said to the person as it stands; anything else is GONE.
  class Refusal extends Error {}
  class Stopped extends Error {}

  class Editor {
    // `link` is what Gradio gives a component: props, server (functions of tabs/_mask_editor.py), upload(file), watch(name, function).
    constructor(root, link) {
      this.root = root;
      this.link = link;
      this.parts = shared.panel(root);
      this.view = new shared.View(this.parts.stage);
      this.picture = null; // {name, file, display, width, height, notes, path, full, small}
      this.mask = null;
      this.before = [];
      this.after = [];
      this.work = Promise.resolve(); // what is being read or asked; one thing after the other
      this.tools = new shared.Tools(this);
      this.tools.resize(40);
      this.#listen();
      this.#show();
      this.work = this.#begin();
    }

    async #begin() {
      try {
        this.keep = await (kept ??= shared.Keep.open());
        await this.#restore();
      } catch (error) {
        console.warn("The picture is not kept in this browser.", error); // private windows may refuse; the editor works without
      }
      this.root.dataset.ready = "true";
      this.#opened(this.link.props.value);
      this.link.watch("value", () => this.#opened(this.link.props.value));
    }

    // --- words ---------------------------------------------------------------------------------------------------------------

    say(sentence, isError = false) {
      this.parts.line.textContent = sentence;
      this.parts.line.classList.toggle("error", isError);
    }

    // After a step or a change of tool.
    stepped() {
      if (!this.tools) return;
      const share = this.mask ? this.mask.share : 0;
      this.root.dataset.selected = share.toFixed(6);
      for (const name of ["undo", "redo"]) {
        const steps = this.mask ? (name === "undo" ? this.mask.past : this.mask.future) : [];
        // Not `disabled`: a button that goes dead under the hand that pressed it takes the focus, and so the keys, with it.
        this.root.querySelector(`[data-do=${name}]`).setAttribute("aria-disabled", String(!steps.length));
      }
      if (this.mask && !this.asking) this.say(`${this.tools.words} ${percent(share)} of the picture is selected.`);
    }

    zoomed() {
      if (this.mask) this.parts["zoom-shown"].textContent = `${Math.round((100 * this.view.zoom) / this.view.ratio)} %`;
    }

    // Does one thing that takes time; a refusal is said, and nothing else changes.
    #ask(sentence, action) {
      this.work = this.work.then(async () => {
        this.asking = true;
        this.root.setAttribute("aria-busy", "true");
        this.say(sentence);
        try {
          await action();
          this.asking = false;
          this.stepped();
        } catch (error) {
          const told = error instanceof Refusal || error instanceof Stopped;
          if (!told) console.error(error);
          this.say(told ? error.message : GONE, !(error instanceof Stopped));
        } finally {
          this.asking = false;
          this.root.removeAttribute("aria-busy");
        }
      });
      return this.work;
    }

    async #server(name, data) {
      const answer = await this.link.server[name](data);
      if (!answer || typeof answer !== "object") throw new Error(`no answer from ${name}`);
      if (answer.error) throw new Refusal(answer.error);
      if (answer.stopped) throw new Stopped(answer.stopped);
      return answer;
    }

    async #uploaded(file) {
      try {
        return (await this.link.upload(file)).path;
      } catch (error) {
        console.error(error);
        throw new Refusal("The file could not be sent to the studio: it may be larger than the studio takes.");
      }
    }

    // --- pictures in ---------------------------------------------------------------------------------------------------------

    openFile(file) {
      return this.#ask("Reading the picture…", async () => {
        if (!file.size) throw new Refusal("This file is empty: choose another picture.");
        await this.#take(file, await this.#uploaded(file), []);
      });
    }

    // A picture that the server opens here: {image: {path, url}, mask: {path} or null, notes, token}; each token once.
    #opened(value) {
      if (!value || !value.token || value.token === this.token) return;
      this.token = value.token;
      if (!value.image) return;
      this.#ask("Opening the picture…", async () => {
        const { path, url, orig_name } = value.image;
        const response = await fetch(url);
        if (!response.ok) throw new Error(`${response.status} for the picture`);
        const name = orig_name || path.split(/[\\/]/).pop();
        await this.#take(new File([await response.blob()], name), path, value.notes ?? []);
        if (value.mask) await this.#maskOf(value.mask.path);
      });
    }

    async #take(file, path, notes) {
      const answer = await this.#server("open_picture", { path });
      const display = new Blob([shared.fromBase64(answer.display)], { type: answer.type });
      const [full, small] = await shared.bitmaps(display);
      const picture = { name: file.name, file, display, width: answer.width, height: answer.height, notes: [...notes, ...answer.notes], path };
      this.#push(this.before);
      this.after = [];
      this.#set({ ...picture, full, small }, new shared.Mask(answer.width, answer.height));
      this.#keepPicture();
    }

    #set(picture, mask) {
      this.picture = picture;
      this.mask = mask;
      this.#show();
      this.view.show(picture.full, picture.small, mask);
      this.tools.fitted(mask);
      this.zoomed();
      this.stepped();
    }

    #show() {
      const { picture } = this;
      this.root.dataset.picture = picture ? `${picture.width}x${picture.height}` : "";
      this.root.classList.toggle("blank", !picture);
      for (const [name, shown] of [["back", this.before.length], ["forward", this.after.length]])
        this.root.querySelector(`.pictures [data-do=${name}]`).hidden = !shown;
      const facts = picture ? [`${picture.name}, ${picture.width} × ${picture.height} pixels.`, ...picture.notes] : [];
      this.parts.notes.replaceChildren(...facts.map((fact) => Object.assign(document.createElement("li"), { textContent: fact })));
    }

    // --- steps between pictures ----------------------------------------------------------------------------------------------

    // Puts the present picture and its mask aside, without its bitmaps.
    #push(list) {
      if (!this.picture) return;
      for (const bitmap of new Set([this.picture.full, this.picture.small])) bitmap.close();
      list.push({ picture: bare(this.picture), mask: this.mask.packed() });
      if (list.length > BACK) list.shift();
      this.picture = null;
    }

    #go(from, to) {
      if (!from.length) return;
      this.#ask("Opening the picture…", async () => {
        const { picture, mask } = from.at(-1);
        const [full, small] = await shared.bitmaps(picture.display);
        from.pop();
        this.#push(to);
        this.#setPacked({ ...picture, full, small }, mask);
        this.#keepPicture();
      });
    }

    #setPacked(picture, parts) {
      const mask = new shared.Mask(picture.width, picture.height);
      if (parts) mask.unpack(parts);
      this.#set(picture, mask);
    }

    async #remove() {
      await this.work;
      this.before = [];
      this.after = [];
      this.picture = null;
      this.mask = null;
      this.view.mask = null;
      this.view.stage.style.height = "";
      this.tools.cancel();
      this.#show();
      this.stepped();
      this.say("The picture is removed.");
      this.parts.empty.querySelector("button").focus();
      await this.keep?.clear();
    }

    // --- what the browser keeps ----------------------------------------------------------------------------------------------

    async #restore() {
      const picture = await this.keep.load("pictures");
      if (!picture) return;
      const masks = await this.keep.load("masks");
      const [full, small] = await shared.bitmaps(picture.display);
      this.token = picture.token;
      this.#setPacked({ ...picture, full, small }, masks && masks.of === picture.made ? masks.parts : null);
    }

    #keepPicture() {
      this.picture.made = `${Date.now()} ${Math.random()}`;
      this.#keeping(() => this.keep.save("pictures", { ...bare(this.picture), token: this.token }));
      this.#keepMask();
    }

    changed() {
      clearTimeout(this.saving);
      this.saving = setTimeout(() => this.#keepMask(), SAVE);
    }

    #keepMask() {
      clearTimeout(this.saving);
      if (!this.mask) return;
      this.#keeping(() => this.keep.save("masks", { parts: this.mask.packed(), of: this.picture.made }));
    }

    #keeping(action) {
      if (this.keep) action().catch((error) => console.warn("The browser could not keep the picture.", error)); // a full disk
    }

    // --- selections ----------------------------------------------------------------------------------------------------------

    // A press of the page's Stop, which Esc presses too, leaves it at once, wherever the request is by then.
    #select(what, name = "") {
      this.#ask(`Looking for ${name ? `“${name}”` : `the ${what}`}… Esc stops.`, async () => {
        let left = false;
        const stopped = new Promise((_, fail) => {
          this.leave = () => {
            left = true;
            fail(new Stopped(STOPPED));
          };
        });
        const found = async () => {
          const path = await this.#there();
          return left ? null : this.#server("find", { path, what, name, box: this.tools.box });
        };
        try {
          await this.#replace(await Promise.race([found(), stopped]));
        } finally {
          this.leave = null;
        }
      });
    }

    #selectNamed() {
      const name = this.parts.name.value.trim();
      if (name) this.#select("named", name);
      else this.parts.name.focus();
    }

    // Says beside the field why nothing can be selected by its name here, where that is so.
    async #naming() {
      try {
        const { reason } = await this.#server("naming", {});
        this.parts.naming.textContent = reason;
        this.parts.naming.hidden = !reason;
      } catch (error) {
        console.warn("Whether things can be selected by name is not known.", error); // it is said when it is tried
      }
    }

    #maskFile(file) {
      if (this.mask) this.#ask("Reading the mask…", async () => this.#maskOf(await this.#uploaded(file)));
    }

    async #maskOf(path) {
      const { width, height } = this.mask;
      const answer = await this.#server("open_mask", { path, width, height });
      await this.#replace(answer);
      this.picture.notes = [...this.picture.notes.filter((note) => !this.maskNotes?.includes(note)), ...answer.notes];
      this.maskNotes = answer.notes;
      this.#show();
    }

    async #replace(answer) {
      const values = await shared.inflated(shared.fromBase64(answer.mask));
      if (values.length !== this.mask.live.length) throw new Error("a mask of another size");
      this.mask.replace(values);
      if (this.mask.commit()) this.changed();
    }

    async #download() {
      const blob = await shared.greyPng(this.mask.base, this.mask.width, this.mask.height);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${this.picture.name.replace(/\.[^.]*$/, "")}-mask.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }

    colours() {
      this.picture.colours ??= this.view.colours();
      return this.picture.colours;
    }

    // --- to a run ------------------------------------------------------------------------------------------------------------

    // The server's path of the picture as it was given; sent again only if the server has cleaned it up.
    async #there() {
      const { picture } = this;
      if (picture.path && (await this.#server("kept", { paths: [picture.path] })).kept[0]) return picture.path;
      picture.path = await this.#uploaded(picture.file);
      this.#keeping(() => this.keep.save("pictures", { ...bare(picture), token: this.token }));
      return picture.path;
    }

    async #maskThere() {
      const { mask } = this;
      if (!mask.selected) return null;
      const [sent] = mask.sent === mask.revision && mask.path ? (await this.#server("kept", { paths: [mask.path] })).kept : [false];
      if (!sent) {
        mask.path = await this.#uploaded(new File([await shared.greyPng(mask.base, mask.width, mask.height)], "mask.png", { type: "image/png" }));
        mask.sent = mask.revision;
      }
      return mask.path;
    }

    // The values of a run with the first two, image and mask, put in. A picture that is still being read is waited for.
    async collect(values) {
      await this.work;
      if (!this.picture) return [null, null, ...values.slice(2)];
      let files = [null, null];
      try {
        files = [await this.#there(), await this.#maskThere()];
      } catch (error) {
        this.say(error instanceof Refusal ? error.message : GONE, true);
        throw error;
      }
      const [image, mask] = files;
      return [{ path: image, orig_name: this.picture.name, ...SENT }, mask && { path: mask, orig_name: "mask.png", ...SENT }, ...values.slice(2)];
    }

    // --- what buttons do -----------------------------------------------------------------------------------------------------

    act(name) {
      const step = (change) => () => {
        change();
        if (this.mask.commit()) this.changed();
        this.stepped();
      };
      const distance = () => Math.max(1, Math.min(250, Number(this.parts.distance.value) || 1));
      const always = { choose: () => this.parts.file.click(), back: () => this.#go(this.before, this.after), forward: () => this.#go(this.after, this.before) };
      const withMask = {
        undo: () => this.#stepBack("undo"),
        redo: () => this.#stepBack("redo"),
        subject: () => this.#select("subject"),
        background: () => this.#select("background"),
        named: () => this.#selectNamed(),
        invert: step(() => this.mask.invert()),
        clear: step(() => {
          this.mask.clear();
          this.tools.box = null;
        }),
        grow: step(() => this.mask.grow(distance())),
        shrink: step(() => this.mask.grow(-distance())),
        upload: () => this.parts["mask-file"].click(),
        download: () => this.#download(),
        remove: () => this.#remove(),
        into: () => this.#zoom(1.4),
        out: () => this.#zoom(1 / 1.4),
        fit: () => this.#zoom(0),
      };
      if (always[name]) always[name]();
      else if (this.mask && withMask[name] && !this.asking) {
        this.tools.cancel();
        withMask[name]();
      }
    }

    #stepBack(way) {
      if (!this.mask[way]()) return;
      this.tools.box = null; // the rectangle may be what went
      this.changed();
      this.stepped();
    }

    #zoom(factor) {
      if (factor) this.view.zoomBy(factor);
      else this.view.fit();
      this.zoomed();
    }

    #listen() {
      document.addEventListener("click", (event) => event.target.closest?.(".stop") && this.leave?.(), true);
      this.root.addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (button?.dataset.do) this.act(button.dataset.do);
        else if (button?.dataset.tool) this.tools.choose(button.dataset.tool);
      });
      const taken = (part, action) =>
        this.parts[part].addEventListener("change", () => {
          const [file] = this.parts[part].files;
          this.parts[part].value = ""; // so that the same file can be chosen again
          if (file) action(file);
        });
      taken("file", (file) => this.openFile(file));
      taken("mask-file", (file) => this.#maskFile(file));
      this.parts.more.addEventListener("toggle", () => this.parts.more.open && this.#naming());
      this.parts.name.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        this.act("named");
      });
      this.#listenForDrops();
      addEventListener("pagehide", () => this.#keepMask());
      new ResizeObserver(() => this.zoomed()).observe(this.root);
    }

    #listenForDrops() {
      const pictureIn = (data) => [...(data?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? data?.files?.[0];
      this.root.addEventListener("dragover", (event) => {
        if (![...event.dataTransfer.types].includes("Files")) return;
        event.preventDefault();
        this.root.classList.add("over");
      });
      this.root.addEventListener("dragleave", (event) => this.root.contains(event.relatedTarget) || this.root.classList.remove("over"));
      this.root.addEventListener("drop", (event) => {
        event.preventDefault();
        this.root.classList.remove("over");
        const file = pictureIn(event.dataTransfer);
        if (file) this.openFile(file);
      });
      // A paste anywhere on the page while the editor is in sight. Office programs send words with a picture of them: in a field that
      // takes words, the words are meant.
      document.addEventListener("paste", (event) => {
        const file = pictureIn(event.clipboardData);
        if (!file || !this.root.isConnected || !this.root.offsetParent) return;
        if (event.target.closest?.("input, textarea, [contenteditable=true]") && event.clipboardData.types.includes("text/plain")) return;
        event.preventDefault();
        this.openFile(file);
      });
    }
  }

  // A picture without what can be made again from it.
  const bare = ({ full, small, colours, ...picture }) => picture;

  const percent = (share) => {
    const value = 100 * share;
    if (value > 0 && value < 0.05) return "Less than 0.1 %";
    return value === 0 || value === 100 ? `${value} %` : `${Math.min(99.9, value).toFixed(1)} %`;
  };

  // Pixels of one margin: "128", "128 px" or "25%" of the side; what is neither counts as none.
  const pixels = (text, side) => {
    const found = /^\s*(\d+(?:\.\d+)?)\s*(px|%)?\s*$/i.exec(String(text ?? ""));
    return found ? Math.round(found[2] === "%" ? (Number(found[1]) / 100) * side : Number(found[1])) : 0;
  };

  // --- for the page ------------------------------------------------------------------------------------------------------------

  let editor = null;
  let kept = null; // a promise: opened once for this page, however often the editor is built
  let margins = [];

  shared.attach = (element, link) => {
    editor = new Editor(element.querySelector(".mask-editor"), link);
    const show = editor.view.show.bind(editor.view);
    editor.view.show = (...shown) => {
      show(...shown);
      shared.margins(...margins);
    };
  };

  // For a run's `js`: its values with image and mask put in.
  shared.collect = (values) => (editor ? editor.collect(values) : values);

  // Shows where an outpainting will add to the picture; each side as "128 px" or "25%".
  shared.margins = (...sides) => {
    margins = sides;
    if (!editor?.mask) return;
    const [left, right, top, bottom] = sides;
    const { width, height } = editor.mask;
    editor.view.frame({ left: pixels(left, width), right: pixels(right, width), top: pixels(top, height), bottom: pixels(bottom, height) });
    editor.view.resize();
    editor.zoomed();
  };

  // What is open: {name, width, height, selected (0..1)}, or null.
  shared.current = () =>
    editor?.picture ? { name: editor.picture.name, width: editor.picture.width, height: editor.picture.height, selected: editor.mask.share } : null;
})();
