// The shown rows as CSV (RFC 4180), under the field names of the results contract.
const csvFields = ["rule", "account_id", "region", "resource_type", "resource_id", "resource_name", "compliance", "annotation",
  "severity", "evaluated_at", "configuration_item_captured_at"];

// A spreadsheet runs text that starts like a formula; names and tags come from whoever made the resource.
const disarmed = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const csvCell = (text) => `"${disarmed(String(text)).replaceAll('"', '""')}"`;

function csv() {
  const head = [...csvFields, ...data.versions.map((version) => `requirements_${version}`), ...(columns.outcome ? ["since_before"] : [])];
  const lines = [head.map(csvCell).join(",")];
  for (const row of view) {
    const cells = csvFields.map((field) => value(field, row));
    cells.push(...data.versions.map((version) => requirementNumbers(row, version).join(" ")));
    if (columns.outcome) cells.push(data.outcomes[value("outcome", row)] || "");
    lines.push(cells.map(csvCell).join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

function exportCsv() {
  const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
  const link = element("a", { href: address, download: "pci-config-results.csv" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
