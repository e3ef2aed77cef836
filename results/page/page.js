"use strict";
(() => {
  // Light, dark, or as the system has it.
  const themes = ["as the system", "light", "dark"];
  const theme = document.getElementById("theme");
  let chosen = 0;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    chosen = (chosen + 1) % themes.length;
    theme.textContent = "Theme: " + themes[chosen];
    if (chosen === 0) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = themes[chosen];
  });

  for (const box of document.querySelectorAll(".table")) {
    const table = box.querySelector("table");
    if (!table) continue;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    if (rows.length < 2) continue;

    // Rows are sorted by number where a cell has one, then by text; what is not
    // available comes last, whichever way. A third press restores the order.
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent || "Marks";
      head.textContent = "";
      head.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
        const way = next === undefined ? "ascending" : next;
        for (const h of heads) h.removeAttribute("aria-sort");
        if (way) head.setAttribute("aria-sort", way);
        const sign = way === "descending" ? -1 : 1;
        const sorted = rows.slice();
        if (way) sorted.sort((a, b) => compare(a.cells[i], b.cells[i], sign));
        body.append(...sorted);
      });
    });

    const filter = box.querySelector(".filter");
    if (!filter) continue;
    filter.hidden = false;
    const count = filter.querySelector(".count");
    filter.querySelector("input").addEventListener("input", (e) => {
      const words = e.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = Array.from(row.cells, (c) => c.textContent).join(" ").toLowerCase();
        row.hidden = !words.every((w) => text.includes(w));
        if (!row.hidden) shown++;
      }
      count.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
    });
  }

  function compare(a, b, sign) {
    const none = (c) => c.textContent === "n/a" || c.textContent === "";
    if (none(a) || none(b)) return none(a) - none(b);
    const x = a.dataset.key, y = b.dataset.key;
    if (x !== undefined && y !== undefined) return sign * (x - y);
    return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
  }

  // What is pointed at, or touched, says its value; what lies on one another, all
  // of theirs.
  const tip = document.getElementById("tip");
  let on = [];
  const show = (e) => {
    const at = e && e.target instanceof Element && e.target.closest("[data-tip]");
    for (const s of on) s.classList.remove("on");
    on = at ? document.elementsFromPoint(e.clientX, e.clientY).filter((s) => s.dataset && s.dataset.tip).slice(0, 5) : [];
    tip.hidden = !on.length;
    if (!on.length) return;
    for (const s of on) s.classList.add("on");
    tip.textContent = on.map((s) => s.dataset.tip).reverse().join("\n\n");
    const spot = on[0].getBoundingClientRect(), me = tip.getBoundingClientRect();
    const left = Math.max(4, Math.min(spot.left + spot.width / 2 - me.width / 2, document.documentElement.clientWidth - me.width - 4));
    const above = spot.top - me.height - 6;
    tip.style.left = left + "px";
    tip.style.top = (above < 4 ? spot.bottom + 6 : above) + "px";
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("click", show);
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") show(null); });
  document.addEventListener("scroll", () => show(null), true);
})();
