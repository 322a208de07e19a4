// Filters, kept in the address, behind parts.js.
(() => {
  const form = document.querySelector(".filter");
  const items = [...document.querySelectorAll("[data-item]")];

  const has = (item, name, wanted) => (item.dataset[name] || "").split(" ").some((one) => wanted.has(one));

  const read = () => {
    const state = new URLSearchParams();
    const boxes = [...form.querySelectorAll("input[name=outcome]:checked")].map((box) => box.value);
    if (boxes.length) state.set("outcome", boxes.join(","));
    for (const field of form.querySelectorAll("select, input[type=search]")) {
      if (field.value.trim()) state.set(field.name, field.value.trim());
    }
    return state;
  };

  const apply = () => {
    const state = read();
    const outcomes = new Set((state.get("outcome") || "").split(",").filter(Boolean).map((one) => one.replaceAll(" ", "-")));
    const text = (state.get("text") || "").toLowerCase();
    const others = ["category", "role"].filter((name) => state.get(name));
    const fits = (item) => (!outcomes.size || has(item, "outcome", outcomes))
      && others.every((name) => !(name in item.dataset) || has(item, name, new Set([state.get(name)])))
      && (!text || parts.textOf(item).includes(text));
    const what = items.length === 1 ? form.dataset.one : form.dataset.many;
    parts.sift(form, items, "[data-item]", "[data-group]", fits, what);
  };

  const set = (state) => {
    const outcomes = new Set((state.get("outcome") || "").split(","));
    for (const box of form.querySelectorAll("input[name=outcome]")) box.checked = outcomes.has(box.value);
    for (const field of form.querySelectorAll("select, input[type=search]")) field.value = state.get(field.name) || "";
    apply();
  };

  // The hash is either a filter (`#outcome=fail&text=iq`), or the id of a part of the page.
  const follow = () => {
    const hash = location.hash.slice(1);
    if (form && items.length && (!hash || hash.includes("="))) return set(new URLSearchParams(hash));
    const target = hash && document.getElementById(decodeURIComponent(hash));
    if (target && target.matches("details")) {
      target.open = true;
      target.scrollIntoView();
    }
    return undefined;
  };

  if (form && items.length) {
    form.addEventListener("input", () => {
      apply();
      history.replaceState(null, "", `#${read()}`);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    set(new URLSearchParams());
  }
  window.addEventListener("hashchange", follow);
  follow();

  parts.offerCopies();
})();
