"use strict";
addEventListener("error", e => { document.documentElement.dataset.error = e.message; });
(() => {
  const get = id => document.getElementById(id);
  const pane = get("pane"), search = get("search"), found = get("found"), details = get("details");
  const views = { before: get("before"), after: get("after") };
  let view = "after", zoom = { before: 1, after: 1 }, hits = [], current = -1;

  const textOf = node => node.querySelector(":scope > title").textContent;
  const words = new Map();  // node -> what is searched
  for (const node of document.querySelectorAll("#pane .node")) words.set(node, textOf(node).toLowerCase());

  function scale(factor, x = pane.clientWidth / 2, y = pane.clientHeight / 2) {
    const svg = views[view], old = zoom[view], fresh = Math.min(4, Math.max(0.02, old * factor));
    const left = (pane.scrollLeft + x) / old, top = (pane.scrollTop + y) / old;
    zoom[view] = fresh;
    svg.setAttribute("width", svg.dataset.width * fresh);
    svg.setAttribute("height", svg.dataset.height * fresh);
    pane.scrollLeft = left * fresh - x;
    pane.scrollTop = top * fresh - y;
  }
  const fit = () => { scale(Math.min(1, (pane.clientWidth - 20) / views[view].dataset.width) / zoom[view]); };

  function show(name) {
    view = name in views ? name : "after";
    for (const [key, svg] of Object.entries(views)) svg.toggleAttribute("hidden", key !== view);
    for (const button of document.querySelectorAll("#views button")) button.setAttribute("aria-pressed", button.dataset.view === view);
    find();
  }

  function find() {
    const text = search.value.trim().toLowerCase();
    for (const node of document.querySelectorAll("#pane .hit")) node.classList.remove("hit", "current");
    hits = text ? [...views[view].querySelectorAll(".node")].filter(node => words.get(node).includes(text)) : [];
    for (const node of hits) node.classList.add("hit");
    for (const svg of Object.values(views)) svg.classList.toggle("searching", text !== "");
    found.textContent = text ? `${hits.length} found` : "";
    current = -1;
    if (hits.length) step(1);
  }

  function step(by) {
    if (!hits.length) return;
    if (current >= 0) hits[current].classList.remove("current");
    current = (current + by + hits.length) % hits.length;
    hits[current].classList.add("current");
    found.textContent = `${current + 1} of ${hits.length}`;
    center(hits[current]);
  }

  function center(node) {
    const box = node.querySelector("rect").getBoundingClientRect(), frame = pane.getBoundingClientRect();
    pane.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
    pane.scrollTop += Math.min(box.top - frame.top - 20, box.top + box.height / 2 - frame.top - frame.height / 2);
  }

  function pick(node) {
    for (const old of document.querySelectorAll("#pane .picked")) old.classList.remove("picked");
    node.classList.add("picked");
    details.textContent = textOf(node);
  }

  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    search.value = given.get("search") || "";
    show(given.get("view") || "after");
  }

  function writeAddress() {
    const kept = new URLSearchParams({ view, ...(search.value && { search: search.value }) });
    try { history.replaceState(null, "", `#${kept}`); } catch { /* a page without an address */ }
  }

  search.addEventListener("input", () => { find(); writeAddress(); });
  search.addEventListener("keydown", e => { if (e.key === "Enter") step(e.shiftKey ? -1 : 1); });
  for (const button of document.querySelectorAll("#views button"))
    button.addEventListener("click", () => { show(button.dataset.view); fit(); writeAddress(); });
  get("in").addEventListener("click", () => scale(1.25));
  get("out").addEventListener("click", () => scale(0.8));
  get("fit").addEventListener("click", fit);
  get("whole").addEventListener("click", () => scale(Math.min(1, pane.clientWidth / views[view].dataset.width, pane.clientHeight / views[view].dataset.height) / zoom[view]));
  pane.addEventListener("wheel", e => {
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    const frame = pane.getBoundingClientRect();
    scale(Math.exp(-e.deltaY / 300), e.clientX - frame.left, e.clientY - frame.top);
  }, { passive: false });
  pane.addEventListener("pointerdown", e => {
    if (e.button !== 0 || e.pointerType === "touch") return;
    const from = [e.clientX + pane.scrollLeft, e.clientY + pane.scrollTop];
    const move = m => { pane.scrollLeft = from[0] - m.clientX; pane.scrollTop = from[1] - m.clientY; };
    addEventListener("pointermove", move);
    addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
    e.preventDefault();
  });
  pane.addEventListener("click", e => { const node = e.target.closest(".node"); if (node) pick(node); });
  addEventListener("hashchange", readAddress);
  for (const name of ["before", "after"]) { view = name; fit(); }
  readAddress();
})();
