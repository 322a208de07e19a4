// Filters and links, behind parts.js.
(() => {
  // Hides the checks that the form does not ask for. Answers how to set the form.
  const filtered = (form) => {
    const checks = [...document.querySelectorAll(".check")];
    const boxes = [...form.querySelectorAll("input[name=outcome]")];
    const failures = form.querySelector("input[name=failures]");
    const text = form.querySelector("input[type=search]");
    const bad = new Set(["fail", "crash", "error"]);

    const apply = () => {
      const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      if (failures.checked) bad.forEach((outcome) => chosen.add(outcome));
      const wanted = text.value.trim().toLowerCase();
      const fits = (check) => (!chosen.size || chosen.has(check.dataset.outcome))
        && (!wanted || parts.textOf(check).includes(wanted));
      parts.sift(form, checks, ".check", ".provider", fits, "checks");
    };

    const keep = () => {
      const state = new URLSearchParams();
      const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
      if (failures.checked) state.set("show", "failures");
      if (chosen.length) state.set("outcome", chosen.join(","));
      if (text.value.trim()) state.set("text", text.value.trim());
      history.replaceState(null, "", `#${state}`);
    };

    const set = (state) => {
      const chosen = new Set((state.get("outcome") || "").split(","));
      for (const box of boxes) box.checked = chosen.has(box.value);
      failures.checked = state.get("show") === "failures";
      text.value = state.get("text") || "";
      apply();
    };

    form.addEventListener("input", () => { apply(); keep(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    return set;
  };

  const form = document.querySelector(".filter"); // there is none where nothing but a campaign was asked for
  const set = form ? filtered(form) : () => undefined;

  // The hash is either a filter (`#show=failures&text=iq`), or a check or a finding (`#xep-0030/info-is-answered`).
  const follow = () => {
    const hash = location.hash.slice(1);
    if (!hash || hash.includes("=")) return set(new URLSearchParams(hash));
    const target = document.getElementById(decodeURIComponent(hash));
    if (!target) return undefined;
    if (target.hidden) set(new URLSearchParams());
    if (target.matches("details")) target.open = true;
    target.scrollIntoView();
    return undefined;
  };

  window.addEventListener("hashchange", follow);

  parts.offerCopies();

  set(new URLSearchParams());
  follow();
})();
