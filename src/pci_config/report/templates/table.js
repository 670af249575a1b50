// The results table. Only the rows in sight exist; two spacer rows stand for the others, so that the table keeps its height.
const spare = 12;
const printLimit = 2000;
const region = byId("table-region");
const table = byId("table");
const body = byId("rows");
const drawn = new Map();
let view = new Int32Array();
let active = -1;
let spacers = null;
let printing = false;

function spacer() {
  const filler = element("tr", { className: "spacer", "aria-hidden": "true", role: "presentation" });
  filler.append(element("td", { colSpan: 8 }));
  return filler;
}

const rowHeight = () => parseFloat(getComputedStyle(region).getPropertyValue("--row")) || 60;
const headHeight = () => table.tHead.offsetHeight;

function ruleName(name) {
  const parts = name.split("_");
  return parts.flatMap((part, at) => (at < parts.length - 1 ? [`${part}_`, element("wbr")] : [part]));
}

// Of an ARN, the part that tells one resource of an account from another.
const shortId = (id) => (id.startsWith("arn:") ? id.split(":").slice(5).join(":") : id);

function cell(className, ...children) {
  return element("td", { className, role: "cell" }, element("div", { className: "clip" }, ...children));
}

function rowElement(position) {
  const row = view[position];
  const compliance = value("compliance", row);
  const outcome = columns.outcome ? value("outcome", row) : "";
  const account = value("account_id", row);
  const name = value("resource_name", row);
  const id = value("resource_id", row);
  const opener = element("button", { type: "button", className: "open", tabIndex: -1, title: id }, name || shortId(id));
  opener.setAttribute("aria-haspopup", "dialog");
  const made = element("tr", { role: "row", "aria-rowindex": String(position + 2) });
  made.dataset.position = position;
  made.append(
    cell("compliance", element("span", { className: `mark ${compliance}` }, data.compliance[compliance]),
      ...(outcome ? [element("span", { className: "outcome" }, data.outcomes[outcome])] : [])),
    cell("severity", value("severity", row) || "not stated"),
    cell("rule code", ...ruleName(value("rule", row))),
    cell("requirement", requirementNumbers(row, state.version).join(", ") || "none"),
    cell("account", accountName(account), ...(data.accounts[account] ? [element("span", { className: "id" }, account)] : [])),
    cell("region", value("region", row)),
    cell("resource", opener, ...(name && name !== id ? [element("span", { className: "id", title: id }, shortId(id))] : []),
      element("span", { className: "type" }, value("resource_type", row))),
    cell("reason", value("annotation", row) || "not stated"),
  );
  return made;
}

function range() {
  if (printing) return [0, Math.min(view.length, printLimit)];
  const height = rowHeight();
  const top = Math.floor(region.scrollTop / height);
  const bottom = Math.ceil((region.scrollTop + region.clientHeight) / height);
  return [Math.max(0, Math.min(top - spare, view.length - 1)), Math.min(view.length, bottom + spare)];
}

function draw() {
  const [first, last] = range();
  const height = rowHeight();
  // Before rows go: focus() lays the page out, and a table that is short for a moment loses its scroll position.
  const focused = document.activeElement.closest("tr[data-position]");
  if (focused && (focused.dataset.position < first || focused.dataset.position >= last)) region.focus({ preventScroll: true });
  for (const [position, made] of drawn) {
    if (position >= first && position < last) continue;
    made.remove();
    drawn.delete(position);
  }
  let before = spacers[0];
  for (let position = first; position < last; position += 1) {
    if (!drawn.has(position)) {
      const made = rowElement(position);
      drawn.set(position, made);
      before.after(made);
    }
    before = drawn.get(position);
  }
  setSpacer(spacers[0], printing ? 0 : first * height);
  setSpacer(spacers[1], printing ? 0 : (view.length - last) * height);
}

function setSpacer(filler, height) {
  filler.firstChild.style.height = `${Math.max(0, height)}px`;
  filler.hidden = height <= 0;
}

function show(rows) {
  view = rows;
  active = -1;
  drawn.clear();
  spacers = [spacer(), spacer()];
  body.replaceChildren(...spacers);
  table.setAttribute("aria-rowcount", String(view.length + 1));
  region.scrollTop = 0;
  if (view.length) draw();
  else body.replaceChildren(element("tr", { className: "nothing", role: "row" }, element("td", { colSpan: 8, role: "cell" },
    data.count ? "No result matches these filters." : "The document holds no results.")));
}

function moveTo(position) {
  if (!view.length) return;
  active = Math.max(0, Math.min(position, view.length - 1));
  const height = rowHeight();
  const room = region.clientHeight - headHeight();
  const top = active * height;
  if (top < region.scrollTop) region.scrollTop = top;
  else if (top + height > region.scrollTop + room) region.scrollTop = top + height - room;
  draw();
  for (const made of drawn.values()) made.querySelector(".open").tabIndex = -1;
  const opener = drawn.get(active).querySelector(".open");
  opener.tabIndex = 0;
  opener.focus({ preventScroll: true });
}

function onKey(event) {
  if (event.altKey || event.metaKey || table.tHead.contains(event.target)) return;
  const page = Math.max(1, Math.floor((region.clientHeight - headHeight()) / rowHeight()) - 1);
  const row = event.target.closest("tr[data-position]");
  const here = row ? Number(row.dataset.position) : Math.ceil(region.scrollTop / rowHeight()) - 1;
  const targets = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: view.length - 1 };
  if (!(event.key in targets)) return;
  event.preventDefault();
  moveTo(targets[event.key]);
}

function redraw() {
  for (const made of drawn.values()) made.remove();
  drawn.clear();
  if (view.length) draw();
}

function setPrinting(on) {
  if (printing === on) return;
  printing = on;
  const cut = view.length > printLimit ? ` Printed: the first ${printLimit} of ${view.length} rows; the CSV export holds all.` : "";
  byId("print-note").textContent = `${view.length} of ${data.count} results. ${describeFilters()}${cut}`;
  redraw();
}
