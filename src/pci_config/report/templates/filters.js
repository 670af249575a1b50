// What is shown: filters, order and version of the standard. The address keeps them after "#results?".
const choices = ["rule", "account", "region", "requirement", "severity", "outcome"];
const choiceColumns = { rule: "rule", account: "account_id", region: "region", severity: "severity", outcome: "outcome" };
const searched = ["rule", "account_id", "region", "resource_type", "resource_id", "resource_name", "annotation"];
const emptyState = () => ({
  text: "", compliance: new Set(), rule: "", account: "", region: "", requirement: "", severity: "", outcome: "",
  sort: "compliance", descending: false, version: data.versions[0] || "",
});
const state = emptyState();
const form = byId("filters");

function readAddress() {
  const [anchor, query] = location.hash.slice(1).split("?", 2);
  if (anchor !== "results" || query === undefined) return false;
  const given = new URLSearchParams(query);
  const version = state.version;
  Object.assign(state, emptyState(), { version });
  state.text = given.get("text") || "";
  for (const compliance of given.getAll("compliance")) if (Object.hasOwn(data.compliance, compliance)) state.compliance.add(compliance);
  for (const name of choices) if (form.elements[name]) state[name] = given.get(name) || "";
  if (Object.hasOwn(sortKeys, given.get("sort"))) state.sort = given.get("sort");
  state.descending = given.get("order") === "descending";
  if (data.versions.includes(given.get("version"))) state.version = given.get("version");
  return true;
}

function writeAddress() {
  const kept = new URLSearchParams();
  if (state.text) kept.set("text", state.text);
  for (const compliance of complianceOrder) if (state.compliance.has(compliance)) kept.append("compliance", compliance);
  for (const name of choices) if (state[name]) kept.set(name, state[name]);
  if (state.sort !== "compliance" || state.descending) kept.set("sort", state.sort);
  if (state.descending) kept.set("order", "descending");
  if (data.versions.length && state.version !== data.versions[0]) kept.set("version", state.version);
  const address = kept.size ? `#results?${kept}` : location.hash.startsWith("#results?") ? "#results" : location.hash;
  if (address !== location.hash) history.replaceState(history.state, "", address || location.pathname);
}

// For each row 1 when every word of the search text is in one of its searched values. Distinct values are looked at once.
function textMatches() {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  const matches = new Uint8Array(data.count).fill(1);
  for (const word of words) {
    const hits = searched.map((field) => ({
      index: columns[field].index,
      hit: columns[field].values.map((text) => spoken(field, text).toLowerCase().includes(word)),
    }));
    for (let row = 0; row < data.count; row += 1) {
      if (matches[row] && !hits.some(({ index, hit }) => hit[index[row]])) matches[row] = 0;
    }
  }
  return matches;
}

const spoken = (field, text) => (field === "account_id" ? `${text} ${data.accounts[text] || ""}` : text);

function choiceTests() {
  const tests = [];
  for (const [name, field] of Object.entries(choiceColumns)) {
    if (!state[name] || !columns[field]) continue;
    const wanted = columns[field].values.indexOf(state[name]);
    const { index } = columns[field];
    tests.push((row) => index[row] === wanted);
  }
  if (state.requirement) {
    const { values, index } = columns.requirements;
    const wanted = values.map((numbers) => (numbers[state.version] || []).includes(state.requirement));
    tests.push((row) => wanted[index[row]]);
  }
  return tests;
}

// The rows that pass, and how many of each verdict there would be were the verdict not filtered.
function select() {
  const tests = choiceTests();
  const matches = textMatches();
  const verdict = columns.compliance;
  const wanted = verdict.values.map((name) => !state.compliance.size || state.compliance.has(name));
  const counts = new Int32Array(verdict.values.length);
  const rows = [];
  for (let row = 0; row < data.count; row += 1) {
    if ((matches && !matches[row]) || !tests.every((test) => test(row))) continue;
    counts[verdict.index[row]] += 1;
    if (wanted[verdict.index[row]]) rows.push(row);
  }
  const countOf = Object.fromEntries(verdict.values.map((name, at) => [name, counts[at]]));
  return { rows: sorted(Int32Array.from(rows)), countOf };
}

// The filters in words, for paper.
function describeFilters() {
  const said = [];
  if (state.text) said.push(`search "${state.text}"`);
  if (state.compliance.size) said.push([...state.compliance].map((name) => data.compliance[name]).join(" or "));
  if (state.rule) said.push(`rule ${state.rule}`);
  if (state.account) said.push(`account ${accountName(state.account)}`);
  if (state.region) said.push(`Region ${state.region}`);
  if (state.requirement) said.push(`requirement ${state.requirement} of PCI DSS ${state.version}`);
  if (state.severity) said.push(`severity ${state.severity}`);
  if (state.outcome) said.push(`since before: ${data.outcomes[state.outcome] || state.outcome}`);
  return said.length ? `Filtered by ${said.join("; ")}.` : "Not filtered.";
}
