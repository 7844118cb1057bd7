// The library for the page: joins its two components, which the page builds in any order.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});

  let [shelf, waiting] = [null, null];

  shared.attach = (element, link) => {
    shelf = new shared.Shelf(element.querySelector(".shelf"), link);
    link.watch("value", () => shelf.asks.answered(link.props.value));
    waiting?.();
    waiting = null;
  };

  // What came from elsewhere, such as a zip, is shown at once.
  shared.reload = () => shelf?.load(true);

  shared.attachLeaf = (element, link) => {
    const join = () => {
      const leaf = new shared.Leaf(element.querySelector(".leaf"), shelf, link.tell);
      link.watch("value", () => leaf.show(link.props.value));
    };
    if (shelf) join();
    else waiting = join;
  };
})();
