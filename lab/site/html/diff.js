"use strict";
// Two records, side by side: both are named in the address, and come as scripts, as a page on a disk may fetch nothing.
// All that a record says is put into the page as text.
const stanzalab = { records: new Map(), waiting: new Map(), record(id, data) { this.records.set(id, data); } };
window.stanzalab = stanzalab;

(() => {
  const HOLDS = new Set(["pass", "non-strict"]);
  const FAILS = new Set(["fail", "crash"]);
  const form = document.querySelector(".choose");
  const told = document.querySelector(".told");
  const place = document.getElementById("differences");
  const known = new Set([...form.elements.a.options].map((option) => option.value).filter(Boolean));

  const element = (name, said = "", kind = "") => {
    const made = document.createElement(name);
    if (said) made.textContent = said;
    if (kind) made.className = kind;
    return made;
  };

  const SIGNS = { pass: "✓", "non-strict": "~", fail: "✗", crash: "✗", unsupported: "○", impossible: "-", error: "!", "not tested": "·" };
  const outcome = (value) => {
    if (!value) return element("span", "not run", "quiet");
    const made = element("span", "", `outcome ${value.replaceAll(" ", "-")}`);
    const sign = element("span", SIGNS[value] || "?", "sign");
    sign.setAttribute("aria-hidden", "true");
    made.append(sign, value);
    return made;
  };

  const load = (id) => {
    if (stanzalab.records.has(id)) return Promise.resolve(stanzalab.records.get(id));
    if (!stanzalab.waiting.has(id)) {
      stanzalab.waiting.set(id, new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = `records/${id}.js`;
        script.addEventListener("load", () => done(stanzalab.records.get(id)));
        script.addEventListener("error", () => failed(new Error(`records/${id}.js cannot be read`)));
        document.head.append(script);
      }));
    }
    return stanzalab.waiting.get(id);
  };

  const kind = (was, became) => {
    if (!was) return "only in the second";
    if (!became) return "only in the first";
    if (HOLDS.has(was) && FAILS.has(became)) return "newly failing";
    if (FAILS.has(was) && HOLDS.has(became)) return "fixed";
    return was === became ? "" : "changed otherwise";
  };
  const KINDS = ["newly failing", "fixed", "changed otherwise", "only in the first", "only in the second"];

  const compared = (first, second) => {
    const names = [...new Set([...Object.keys(first.checks), ...Object.keys(second.checks)])].sort();
    const groups = new Map(KINDS.map((name) => [name, []]));
    let same = 0;
    for (const name of names) {
      const [a, b] = [first, second].map((record) => (Object.hasOwn(record.checks, name) ? record.checks[name] : []));
      const which = kind(a[0], b[0]);
      if (which) groups.get(which).push({ name, a, b });
      else same += 1;
    }
    return { groups, same };
  };

  const side = (value, said) => {
    const made = element("td");
    made.append(outcome(value));
    if (said) made.append(element("div", said, "small quiet"));
    return made;
  };

  const heads = (first, second) => {
    const row = element("tr");
    for (const said of ["", `${first.label}, ${first.started}`, `${second.label}, ${second.started}`]) {
      const head = element("th");
      head.scope = "col";
      head.append(element("div", said, "name-of"));
      row.append(head);
    }
    const made = element("thead");
    made.append(row);
    return made;
  };

  const table = (title, lines, first, second) => {
    const region = element("div", "", "wide");
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", title);
    region.tabIndex = 0;
    const made = element("table", "", "matrix differs");
    made.append(element("caption", `${title}: ${lines.length}`), heads(first, second));
    const body = element("tbody");
    for (const { head, sides } of lines) {
      const line = element("tr");
      line.dataset.line = "";
      const name = element("th");
      name.scope = "row";
      name.className = "narrow";
      name.append(head);
      line.append(name, ...sides);
      body.append(line);
    }
    made.append(body);
    region.append(made);
    return region;
  };

  const page = (name, ...records) => {
    const record = records.find((one) => Object.hasOwn(one.checks, name));
    const at = Object.hasOwn(record.elsewhere, name) ? record.elsewhere[name] : name;
    const made = element("a", name, "name");
    made.setAttribute("href", `checks/${at.split("/").map(encodeURIComponent).join("/")}.html`);
    return made;
  };

  const rowPage = (row, ...records) => {
    const { suite } = records.find((one) => Object.hasOwn(one.rows, row));
    const made = element("a", row);
    made.setAttribute("href", `rows/${suite.toLowerCase()}/${row}.html`);
    return made;
  };

  const levels = (row) => {
    const values = row ? Object.entries(row) : [];
    const made = element("td");
    if (!values.length) made.append(outcome(""));
    else if (new Set(values.map(([, value]) => value)).size === 1) made.append(outcome(values[0][1]));
    else {
      for (const [level, value] of values) {
        const line = element("div");
        line.append(outcome(value), ` ${level}`);
        made.append(line);
      }
    }
    return made;
  };

  const facts = (record, which) => {
    const made = element("p", "", "small");
    made.append(element("b", `${which}: `), `${record.label}, ${record.started}`);
    if (record.package) made.append(`, ${record.package}`);
    if (!record.finished) made.append(" ", element("span", "did not finish", "outcome fail"));
    if (record.damage) made.append(" ", element("span", "damaged", "outcome fail"));
    return made;
  };

  const show = (first, second) => {
    const { groups, same } = compared(first, second);
    place.replaceChildren(facts(first, "First"), facts(second, "Second"));
    const total = [...groups].filter(([, found]) => found.length).map(([name, found]) => `${found.length} ${name}`);
    told.textContent = `${total.join(", ") || "No check differs"}; ${same} the same.`;
    const rows = [...new Set([...Object.keys(first.rows), ...Object.keys(second.rows)])].sort()
      .filter((row) => JSON.stringify(first.rows[row]) !== JSON.stringify(second.rows[row]))
      .map((row) => ({ head: rowPage(row, first, second), sides: [levels(first.rows[row]), levels(second.rows[row])] }));
    if (rows.length) place.append(table("Rows that differ", rows, first, second));
    for (const [name, found] of groups) {
      if (!found.length) continue;
      const lines = found.map(({ name: check, a, b }) => ({ head: page(check, first, second), sides: [side(...a), side(...b)] }));
      place.append(table(name[0].toUpperCase() + name.slice(1), lines, first, second));
    }
    const findings = [...new Set([...Object.keys(first.findings), ...Object.keys(second.findings)])].sort()
      .filter((one) => !Object.hasOwn(first.findings, one) || !Object.hasOwn(second.findings, one))
      .map((one) => ({
        head: one,
        sides: [first, second].map((record) => element("td", Object.hasOwn(record.findings, one) ? `shown, ${record.findings[one]}` : "not shown")),
      }));
    if (findings.length) place.append(table("Findings that only one shows (chance, not a repair)", findings, first, second));
    narrow();
  };

  const narrow = () => {
    const text = form.elements.text.value.trim().toLowerCase();
    for (const line of place.querySelectorAll("[data-line]")) {
      line.hidden = Boolean(text) && !line.textContent.toLowerCase().includes(text);
    }
  };

  let turn = 0;
  const compare = async () => {
    turn += 1;
    const mine = turn;
    const ids = [form.elements.a.value, form.elements.b.value];
    place.replaceChildren();
    told.textContent = "";
    if (!ids.every(Boolean)) {
      told.textContent = "Choose two records.";
      return;
    }
    try {
      const [first, second] = await Promise.all(ids.map(load));
      if (mine === turn) show(first, second);
    } catch (error) {
      if (mine === turn) told.textContent = error.message;
    }
  };

  const keep = () => {
    const state = new URLSearchParams();
    for (const name of ["a", "b", "text"]) {
      if (form.elements[name].value.trim()) state.set(name, form.elements[name].value.trim());
    }
    history.replaceState(null, "", `#${state}`);
  };

  const follow = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of ["a", "b"]) form.elements[name].value = known.has(state.get(name)) ? state.get(name) : "";
    form.elements.text.value = state.get("text") || "";
    compare();
  };

  form.addEventListener("change", (event) => {
    if (event.target.name !== "text") compare();
    keep();
  });
  form.elements.text.addEventListener("input", () => { narrow(); keep(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector(".swap").addEventListener("click", () => {
    const { a, b } = form.elements;
    [a.value, b.value] = [b.value, a.value];
    keep();
    compare();
  });
  window.addEventListener("hashchange", follow);
  form.hidden = false;
  document.querySelector(".needs").hidden = true;
  follow();
})();
