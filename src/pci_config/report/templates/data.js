// The results: columns that hold each distinct value once (values) and a number for each row (index).
const data = JSON.parse(document.getElementById("data").textContent);
const columns = data.columns;
const complianceOrder = Object.keys(data.compliance);
const byId = (id) => document.getElementById(id);

const value = (field, row) => columns[field].values[columns[field].index[row]];
const accountName = (id) => data.accounts[id] || id;
const resourceLabel = (row) => value("resource_name", row) || value("resource_id", row);
const requirementNumbers = (row, version) => value("requirements", row)[version] || [];

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, content] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, content);
    else made[key] = content;
  }
  made.append(...children);
  return made;
}

// "10.2.1" sorts after "2.2.1": every part padded.
const numberKey = (number) => number.replace(/\d+/g, (digits) => digits.padStart(4, "0"));
const rankIn = (order) => (name) => {
  const rank = order.indexOf(name);
  return String(rank < 0 ? order.length : rank).padStart(4, "0");
};

// Sort keys by name of the table's column: which data column it reads, and how one of its values sorts.
const sortKeys = {
  compliance: ["compliance", rankIn(complianceOrder)],
  severity: ["severity", rankIn(data.severities)],
  rule: ["rule", (name) => name],
  requirement: ["requirements", (numbers) => (numbers[state.version] || []).map(numberKey).join(" ") || "~"],
  account: ["account_id", (id) => `${accountName(id).toLowerCase()} ${id}`],
  region: ["region", (name) => name],
  resource: null, // by name where there is one, else by id
  reason: ["annotation", (text) => text.toLowerCase()],
};
const rankCache = new Map();

// For each row, the rank of its value among the column's distinct values.
function ranks(key) {
  const cacheKey = key === "requirement" ? `${key} ${state.version}` : key;
  if (!rankCache.has(cacheKey)) rankCache.set(cacheKey, sortKeys[key] ? columnRanks(...sortKeys[key]) : resourceRanks());
  return rankCache.get(cacheKey);
}

function rankTexts(texts) {
  const sorted = [...new Set(texts)].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
  const rankOf = new Map(sorted.map((text, rank) => [text, rank]));
  return Int32Array.from(texts, (text) => rankOf.get(text));
}

function columnRanks(field, keyOf) {
  const rankOfValue = rankTexts(columns[field].values.map(keyOf));
  return Int32Array.from(columns[field].index, (at) => rankOfValue[at]);
}

function resourceRanks() {
  const texts = [];
  for (let row = 0; row < data.count; row += 1) texts.push(resourceLabel(row).toLowerCase());
  return rankTexts(texts);
}

// Rows in the wanted order; equal rows keep the document's order in both directions.
function sorted(rows) {
  const rank = ranks(state.sort);
  const sign = state.descending ? -1 : 1;
  const keys = Float64Array.from(rows, (row) => sign * rank[row] * data.count + row).sort();
  return Int32Array.from(keys, (key) => ((key % data.count) + data.count) % data.count);
}
