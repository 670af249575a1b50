// Everything about one result, in a dialog.
const detail = byId("detail");

function fact(name, ...content) {
  const said = content.filter((part) => part !== "" && part !== null && part !== undefined);
  return said.length ? [element("dt", {}, name), element("dd", {}, ...said)] : [];
}

const sameResource = (line, row) =>
  line.rule === value("rule", row) && line.account_id === value("account_id", row) &&
  line.resource_id === value("resource_id", row) && (!line.region || line.region === value("region", row));

const shownTime = (text) => text.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");

function openDetail(position) {
  const row = view[position];
  const compliance = value("compliance", row);
  const account = value("account_id", row);
  const outcome = columns.outcome ? value("outcome", row) : "";
  const close = element("button", { type: "button", className: "close" }, "Close");
  close.addEventListener("click", () => detail.close());
  const facts = element("dl", {},
    ...fact("Compliance", element("span", { className: `mark ${compliance}` }, data.compliance[compliance])),
    ...fact("Since before", outcome && data.outcomes[outcome]),
    ...fact("Reason", value("annotation", row)),
    ...fact("Rule", element("span", { className: "code" }, ...ruleName(value("rule", row)))),
    ...fact("What the rule asks", data.rules[value("rule", row)]),
    ...fact("Severity", value("severity", row)),
    ...data.versions.flatMap((version) => fact(`PCI DSS ${version}`, requirementNumbers(row, version).join(", "))),
    ...fact("Account", data.accounts[account] ? `${data.accounts[account]} (${account})` : account),
    ...fact("Region", value("region", row)),
    ...fact("Resource type", value("resource_type", row)),
    ...fact("Resource id", element("span", { className: "id" }, value("resource_id", row))),
    ...fact("Resource name", value("resource_name", row)),
    ...fact("Configuration captured", shownTime(value("configuration_item_captured_at", row)) || "not stated"),
    ...fact("Evaluated", shownTime(value("evaluated_at", row)) || "not stated"),
    ...data.remediation.filter((line) => sameResource(line, row))
      .flatMap((line) => fact("Remediation", `${line.status}: ${line.message || "no message"} (${line.document || "no document"})`)),
  );
  detail.replaceChildren(
    element("header", {}, element("h3", { id: "detail-title" }, resourceLabel(row)), close), facts);
  detail.showModal();
}
