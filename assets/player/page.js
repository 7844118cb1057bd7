// The player for the page, which talks to it through window.atelierPlayer.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const built = [];

  shared.attach = (element, link) => built.push(new shared.Player(element.querySelector(".player"), link));

  // The player in sight.
  shared.current = () => {
    const here = built.filter(({ root }) => root.isConnected);
    return here.findLast(({ root }) => root.offsetParent) ?? here.at(-1) ?? null;
  };

  // For an event's `js`: its values with the first one replaced by what is chosen, {take, start, end, position} or null.
  shared.collect = (values) => [shared.current()?.state ?? null, ...values.slice(1)];
})();
