"use strict";
// Tables that sort, filter and page. Rows come from the JSON beside each table and enter the page
// as text only; 25 are in the page at a time, so 50,000 stay quick.
(() => {
  const PAGE = 25;
  const say = JSON.parse(document.getElementById("grid-words").textContent);
  const french = say.language === "fr";
  const counts = new Intl.NumberFormat(french ? "fr" : "en");
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const point = (text) => (french ? text.replace(".", ",") : text);

  const bytes = (value) => {
    let amount = value, step = 0;
    while (Math.abs(amount) >= 1000 && step < say.units.length - 1) { amount /= 1000; step += 1; }
    return point(step ? amount.toFixed(2) : String(value)) + "\u00a0" + say.units[step];
  };
  const share = (value) => {
    let percent = value * 100;
    if (percent > 0 && percent < 0.01) percent = 0.01;
    if (percent > 99.99 && percent < 100) percent = 99.99;
    return point(Number.isInteger(percent) ? String(percent) : percent.toFixed(2)) + (french ? "\u00a0%" : "%");
  };
  const writers = { count: (v) => counts.format(v), days: (v) => counts.format(v), bytes, share };
  const numeric = (kind) => kind in writers || kind === "year" || kind === "amount";
  const written = (value, kind) => (value === null ? "\u2013" : writers[kind] ? writers[kind](value) : String(value));

  function cell(value, kind, amount) {
    const td = make("td", { className: numeric(kind) ? "num" : kind === "text" ? "" : kind });
    if (numeric(kind) || kind === "level") td.dataset.value = value ?? "";
    if (kind === "level") td.textContent = say.levels[value];
    else if (kind === "amount") td.textContent = written(value, amount);
    else if (kind === "study" && say.viewer) {
      const href = say.viewer.replace("{study_instance_uid}", encodeURIComponent(value));
      td.append(make("a", { href, rel: "noreferrer noopener", textContent: value }));
    } else td.textContent = written(value, kind);
    return td;
  }

  function compare(a, b) {
    if (a === b) return 0;
    if (a === null || a === "") return 1;
    if (b === null || b === "") return -1;
    return a < b ? -1 : 1;
  }

  function grid(box) {
    const table = box.querySelector("table"), body = table.tBodies[0];
    const { kinds, level, rows } = JSON.parse(box.querySelector(":scope > script").textContent);
    const state = { view: rows, page: 0, column: -1, down: false, filter: "" };
    let haystack = null;

    const pages = () => Math.max(1, Math.ceil(state.view.length / PAGE));
    function draw() {
      const from = state.page * PAGE;
      body.replaceChildren(...state.view.slice(from, from + PAGE).map((row) => {
        const tr = document.createElement("tr");
        tr.append(...row.map((value, i) => cell(value, kinds[i], row[level] === "BYTES" ? "bytes" : "count")));
        return tr;
      }));
      status.textContent = fill(say.rows, { shown: counts.format(state.view.length), total: counts.format(rows.length) });
      place.textContent = fill(say.page, { page: counts.format(state.page + 1), pages: counts.format(pages()) });
      previous.disabled = state.page === 0;
      next.disabled = state.page >= pages() - 1;
      pager.hidden = pages() === 1;
    }
    function select() {
      haystack ??= rows.map((row) => row.map((v, i) => (kinds[i] === "level" ? say.levels[v] : v ?? "")).join("\u0000").toLowerCase());
      const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
      state.view = words.length ? rows.filter((_, i) => words.every((word) => haystack[i].includes(word))) : rows;
      if (state.column >= 0) {
        const column = state.column, sign = state.down ? -1 : 1;
        state.view = [...state.view].sort((a, b) => {
          const lost = (v) => v === null || v === "";
          return lost(a[column]) || lost(b[column]) ? compare(a[column], b[column]) : sign * compare(a[column], b[column]);
        });
      }
      state.page = 0;
      draw();
    }
    function sort(column) {
      state.down = state.column === column ? !state.down : numeric(kinds[column]);
      state.column = column;
      [...table.tHead.rows[0].cells].forEach((th, i) => {
        if (i === column) th.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else th.removeAttribute("aria-sort");
      });
      select();
    }

    [...table.tHead.rows[0].cells].forEach((th, i) => {
      const button = make("button", { type: "button", className: "sort" });
      button.append(...th.childNodes);
      button.addEventListener("click", () => sort(i));
      th.append(button);
    });

    const bar = make("div", { className: "toolbar" });
    const label = make("label", { textContent: say.filter });
    const input = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const status = make("output", { className: "status" });
    label.append(input);
    bar.append(label, status);
    let waiting = 0;
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { state.filter = input.value; select(); }, 80);
    });

    const pager = make("div", { className: "pager" });
    const previous = make("button", { type: "button", textContent: say.previous });
    const next = make("button", { type: "button", textContent: say.next });
    const place = make("span", {});
    previous.addEventListener("click", () => { state.page -= 1; draw(); });
    next.addEventListener("click", () => { state.page += 1; draw(); });
    pager.append(previous, place, next);

    if (rows.length > 8) box.prepend(bar);
    box.classList.toggle("filtered", rows.length > 8);
    box.append(pager);
    draw();
  }

  document.querySelectorAll(".grid").forEach((box) => { if (box.querySelector(":scope > script")) grid(box); });
})();
