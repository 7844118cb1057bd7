// The document editor for the page, which talks to it through window.atelierEditor.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});

  const built = [];

  const show = (editor, value) => {
    if (!value) return;
    if (value.number !== undefined) editor.asks.answered(value);
    if (value.actions) {
      editor.actions = value.actions;
      editor.bar.set(value.actions);
    }
    if (value.run) editor.runs.show(value.run);
  };

  shared.attach = (element, link) => {
    const editor = new shared.Editor(element.querySelector(".editor"), link);
    built.push(editor);
    link.watch("value", () => show(editor, link.props.value));
    show(editor, link.props.value);
  };

  // The editor in sight.
  shared.current = () => {
    const here = built.filter(({ root }) => root.isConnected);
    return here.findLast(({ root }) => root.offsetParent) ?? here.at(-1) ?? null;
  };

  // A document by its id, from elsewhere on the page: at once, or once there is an editor.
  shared.show = (id) => {
    shared.remember(id);
    const editor = shared.current();
    if (editor?.document) editor.pages.open(id).catch((error) => editor.say(error.message, { error: true }));
  };

  // For the page's own buttons: does an action by name where the cursor is.
  shared.go = (name, choice = "", words = "") => {
    const editor = shared.current();
    editor?.act(editor.action(name) ?? { name, on: "cursor" }, choice, words);
  };
})();
