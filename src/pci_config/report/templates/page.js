// The page: fills the filters, listens, and keeps controls, table and address in step.
let pending = 0;

function option(text, content) {
  return element("option", { value: content }, text);
}

function fillChoice(name, entries) {
  const select = form.elements[name];
  if (!select) return;
  select.replaceChildren(select.options[0], ...entries.map(([content, text]) => option(text, content)));
}

const distinct = (field) => columns[field].values.filter((text) => text !== "");

function requirementEntries() {
  const numbers = new Set(columns.requirements.values.flatMap((all) => all[state.version] || []));
  return [...numbers].sort((left, right) => (numberKey(left) < numberKey(right) ? -1 : 1)).map((number) => [number, number]);
}

function fillChoices() {
  fillChoice("rule", distinct("rule").sort().map((name) => [name, name]));
  fillChoice("account", distinct("account_id").sort()
    .map((id) => [id, data.accounts[id] ? `${data.accounts[id]} (${id})` : id]));
  fillChoice("region", distinct("region").sort().map((name) => [name, name]));
  fillChoice("severity", distinct("severity").sort((left, right) => (rankIn(data.severities)(left) < rankIn(data.severities)(right) ? -1 : 1))
    .map((name) => [name, name]));
  if (columns.outcome) fillChoice("outcome", distinct("outcome").map((name) => [name, data.outcomes[name]]));
  fillChoice("requirement", requirementEntries());
}

// A link may ask for something that no result has: the filter shows it all the same.
function showChoice(select, wanted) {
  if (![...select.options].some((choice) => choice.value === wanted)) select.append(option(wanted, wanted));
  select.value = wanted;
}

function showControls() {
  form.elements.text.value = state.text;
  for (const name of choices) if (form.elements[name]) showChoice(form.elements[name], state[name]);
  for (const box of form.querySelectorAll("input[name=compliance]")) box.checked = state.compliance.has(box.value);
  for (const head of table.tHead.querySelectorAll("th[data-sort]")) {
    const order = head.dataset.sort === state.sort ? (state.descending ? "descending" : "ascending") : "none";
    head.setAttribute("aria-sort", order);
  }
}

function showVersion() {
  for (const part of document.querySelectorAll("[data-version]")) part.hidden = part.dataset.version !== state.version;
  for (const button of document.querySelectorAll("#versions button")) {
    button.setAttribute("aria-pressed", String(button.value === state.version));
  }
}

function update() {
  clearTimeout(pending);
  const { rows, countOf } = select();
  show(rows);
  for (const counter of form.querySelectorAll("[data-count]")) counter.textContent = countOf[counter.dataset.count] || 0;
  byId("shown").textContent = `${rows.length} of ${data.count} results`;
  showControls();
  writeAddress();
}

function readControls() {
  state.text = form.elements.text.value.trim();
  for (const name of choices) state[name] = form.elements[name] ? form.elements[name].value : "";
  state.compliance = new Set([...form.querySelectorAll("input[name=compliance]:checked")].map((box) => box.value));
}

function sortBy(key) {
  Object.assign(state, { sort: key, descending: state.sort === key && !state.descending });
  update();
}

function setVersion(version) {
  Object.assign(state, { version, requirement: "" });
  showVersion();
  fillChoice("requirement", requirementEntries());
  update();
}

function goTo(id) {
  const section = byId(id);
  const title = section.querySelector("h2");
  section.scrollIntoView();
  title.focus({ preventScroll: true });
}

function onAddress() {
  if (!readAddress()) return;
  showVersion();
  fillChoice("requirement", requirementEntries());
  update();
  goTo("results");
}

let knownRowHeight = 0;

function onResize() {
  if (!view.length || printing) return;
  if (rowHeight() === knownRowHeight) draw();
  else redraw();
  knownRowHeight = rowHeight();
}

function listen() {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    readControls();
    clearTimeout(pending);
    if (event.target.name === "text") pending = setTimeout(update, 120);
    else update();
  });
  byId("clear").addEventListener("click", () => {
    Object.assign(state, emptyState(), { version: state.version, sort: state.sort, descending: state.descending });
    update();
    form.elements.text.focus();
  });
  byId("export").addEventListener("click", exportCsv);
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th[data-sort]");
    if (head) sortBy(head.dataset.sort);
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-position]");
    if (row && !String(getSelection())) openDetail(Number(row.dataset.position));
  });
  byId("versions")?.addEventListener("click", (event) => {
    if (event.target.value) setVersion(event.target.value);
  });
  // Section links scroll and keep the filters in the address.
  document.querySelector("nav.sections").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    goTo(link.hash.slice(1));
  });
  // A link to the filters that are already set changes no address.
  document.querySelector("main").addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#results?']");
    if (link && link.hash === location.hash) goTo("results");
  });
  region.addEventListener("scroll", () => { if (view.length) draw(); }, { passive: true });
  region.addEventListener("keydown", onKey);
  addEventListener("hashchange", onAddress);
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));
  new ResizeObserver(onResize).observe(region);
}

for (const part of [form, region, byId("table-keys"), byId("versions")]) if (part) part.hidden = false;
const linked = readAddress();
fillChoices();
showVersion();
listen();
update();
if (linked) goTo("results");
