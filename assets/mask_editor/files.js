// Files in and out of the mask editor: PNG writing, zlib reading, and what the browser keeps over a reload.
(() => {
  "use strict";
  const shared = (window.atelierMask ??= {});

  const through = async (bytes, stream) => new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());

  // --- PNG (ISO/IEC 15948): 8-bit grey, which a canvas cannot write -------------------------------------------------------------

  const crcs = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });

  const chunk = (name, data) => {
    const out = new Uint8Array(data.length + 12);
    const view = new DataView(out.buffer);
    view.setUint32(0, data.length);
    out.set(new TextEncoder().encode(name), 4);
    out.set(data, 8);
    let crc = 0xffffffff;
    for (let i = 4; i < out.length - 4; i += 1) crc = crcs[(crc ^ out[i]) & 255] ^ (crc >>> 8);
    view.setUint32(out.length - 4, ~crc >>> 0);
    return out;
  };

  shared.greyPng = async (values, width, height) => {
    const rows = new Uint8Array((width + 1) * height); // each row begins with its filter: none
    for (let y = 0; y < height; y += 1) rows.set(values.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
    const header = new Uint8Array(13);
    const view = new DataView(header.buffer);
    view.setUint32(0, width);
    view.setUint32(4, height);
    header[8] = 8;
    const data = await through(rows, new CompressionStream("deflate"));
    const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
    return new Blob([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))], { type: "image/png" });
  };

  // --- what the server sends ----------------------------------------------------------------------------------------------------

  shared.fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  shared.inflated = (bytes) => through(bytes, new DecompressionStream("deflate"));

  // --- what the browser keeps ---------------------------------------------------------------------------------------------------

  const asked = (request) =>
    new Promise((done, fail) => {
      request.onsuccess = () => done(request.result);
      request.onerror = () => fail(request.error);
    });

  const TABLES = ["pictures", "masks"]; // apart: a mask is written after every step, its picture once

  // One picture and its mask for each browser tab. A tab knows its own record over a reload by a name in sessionStorage and holds a
  // lock of that name; a fresh tab takes over the newest record whose tab is gone, and the others of tabs that are gone are dropped.
  // Without locks (a page that was not served securely) all tabs share one record.
  class Keep {
    static async open() {
      const keep = new Keep();
      const request = indexedDB.open("atelier-mask-editor", 1);
      request.onupgradeneeded = () => TABLES.forEach((table) => request.result.createObjectStore(table, { keyPath: "id" }));
      keep.base = await asked(request);
      keep.id = navigator.locks ? await keep.#claim() : "shared";
      if (navigator.locks) await keep.#inherit();
      return keep;
    }

    async #claim() {
      const known = sessionStorage.getItem("atelier-mask-tab");
      if (known && (await held(known))) return known;
      const id = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      await held(id);
      sessionStorage.setItem("atelier-mask-tab", id);
      if (known) await this.#copy(known, id); // a duplicated tab begins with what the first one has
      return id;
    }

    async #inherit() {
      const { held: locks } = await navigator.locks.query();
      const alive = new Set(locks.map((lock) => lock.name));
      const records = await this.#do("pictures", "readonly", (table) => table.getAll());
      const left = records.filter((record) => !alive.has(lockName(record.id))).sort((a, b) => b.time - a.time);
      if (left.length && !records.some((record) => record.id === this.id)) await this.#copy(left[0].id, this.id);
      for (const record of left) for (const table of TABLES) await this.#do(table, "readwrite", (open) => open.delete(record.id));
    }

    async #copy(from, to) {
      for (const name of TABLES) {
        const record = await this.#do(name, "readonly", (table) => table.get(from));
        if (record) await this.#do(name, "readwrite", (table) => table.put({ ...record, id: to }));
      }
    }

    #do(name, mode, action) {
      return asked(action(this.base.transaction(name, mode).objectStore(name)));
    }

    load(table) {
      return this.#do(table, "readonly", (open) => open.get(this.id));
    }

    save(table, record) {
      return this.#do(table, "readwrite", (open) => open.put({ ...record, id: this.id, time: Date.now() }));
    }

    async clear() {
      for (const table of TABLES) await this.#do(table, "readwrite", (open) => open.delete(this.id));
    }
  }

  const lockName = (id) => `atelier-mask-${id}`;

  // Whether this page now holds the lock, until it goes. Waits a moment: a page that is being reloaded lets go a little later.
  const held = (id) =>
    new Promise((done) => {
      const signal = AbortSignal.timeout(1500);
      navigator.locks.request(lockName(id), { signal }, () => (done(true), new Promise(() => {}))).catch(() => done(false));
    });

  shared.Keep = Keep;
})();
