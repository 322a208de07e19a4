"use strict";
// What the report's page and the site's pages share; it stands before the script of each. A page says everything
// without scripts, and what a subject said is only ever read, never written.
const parts = (() => {
  const words = new Map();

  // The text of an item, in lower case.
  const textOf = (item) => {
    if (!words.has(item)) words.set(item, item.textContent.toLowerCase());
    return words.get(item);
  };

  // Hides the items (all that the selector finds) that do not fit, and the groups with none left; says how many are.
  const sift = (form, items, selector, groups, fits, what) => {
    let left = 0;
    for (const item of items) {
      item.hidden = !fits(item);
      left += !item.hidden;
    }
    for (const group of document.querySelectorAll(groups)) {
      group.hidden = !group.querySelector(`${selector}:not([hidden])`);
    }
    form.querySelector("output").value = left === items.length ? `${left} ${what}` : `${left} of ${items.length} ${what}`;
    document.querySelector(".nothing").hidden = left > 0;
  };

  // Gives each command a button that copies it.
  const offerCopies = () => {
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
  };

  return { textOf, sift, offerCopies };
})();
