"use strict";
// Filters, kept in the address. A page says everything without this script, and what a subject said is only read.
(() => {
  const form = document.querySelector(".filter");
  const items = [...document.querySelectorAll("[data-item]")];

  const has = (item, name, wanted) => (item.dataset[name] || "").split(" ").some((one) => wanted.has(one));
  const words = new Map();
  const wordsOf = (item) => {
    if (!words.has(item)) words.set(item, item.textContent.toLowerCase());
    return words.get(item);
  };

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
    let left = 0;
    for (const item of items) {
      const fits = (!outcomes.size || has(item, "outcome", outcomes))
        && others.every((name) => !(name in item.dataset) || has(item, name, new Set([state.get(name)])))
        && (!text || wordsOf(item).includes(text));
      item.hidden = !fits;
      left += fits;
    }
    for (const group of document.querySelectorAll("[data-group]")) {
      group.hidden = !group.querySelector("[data-item]:not([hidden])");
    }
    const what = items.length === 1 ? form.dataset.one : form.dataset.many;
    form.querySelector("output").value = left === items.length ? `${left} ${what}` : `${left} of ${items.length} ${what}`;
    document.querySelector(".nothing").hidden = left > 0;
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

  for (const code of document.querySelectorAll(".command code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(code);
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Selected"; // no clipboard here: the reader's own copy command has it now
      }
    });
    code.after(button);
  }
})();
