"""The register of exceptions: what an entry accepts, and every fault of the file, with the line of its field."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.exceptions_file import ExceptionsError, Known, load_register, read_exceptions
from pci_config.resource_pattern import resource_fault

LISTENER = "arn:aws:elasticloadbalancing:eu-west-1:700000000007:listener/app/legacy"
ENTRY = f"""\
exceptions:
  - rule: PCI_LISTENER_TLS_ONLY
    accounts: ["700000000007"]
    regions: [eu-west-1]
    resource: "{LISTENER}/*"
    reason: Terminals of series 4
    approver: CISO
    ticket: SEC-1
    compensating_control: VPN only
    created: 2026-11-01
    expires: 2027-03-31
"""
ARN = f"{LISTENER}/1/2"
TODAY = date(2026, 11, 24)
KNOWN = Known(
    rules=frozenset({"PCI_LISTENER_TLS_ONLY", "PCI_PASSWORD_POLICY"}),
    managed_rules=frozenset({"ACCESS_KEYS_ROTATED", "PCI_MANAGED_ACCESS_KEYS_ROTATED"}),
    accounts=frozenset({"700000000007", "600000000006"}),
    regions=frozenset({"eu-west-1", "us-east-1"}),
    home_region="eu-west-1",
)
ENTRY_OBJECT = ExceptionEntry(
    "PCI_X", ("700000000007",), ("eu-west-1",), "sg-1", "reason", "CISO", "SEC-1", "VPN", date(2026, 11, 1), date(2027, 3, 31)
)


def load(tmp_path: Path, text: str, known: Known | None = KNOWN) -> ExceptionRegister:
    path = tmp_path / "exceptions.yaml"
    path.write_text(text, "utf-8")
    return load_register(path, known, TODAY)


def refused(tmp_path: Path, text: str, known: Known | None = KNOWN) -> list[str]:
    with pytest.raises(ExceptionsError) as caught:
        load(tmp_path, text, known)
    return [problem.removeprefix(f"{tmp_path / 'exceptions.yaml'}: ") for problem in caught.value.problems]


# ------------------------------------------------------------------------------------------------------------- bundled


def test_the_functions_bundle_holds_its_entries_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pci_config.exceptions.__file__", str(tmp_path / "pci_config" / "exceptions.py"))
    assert ExceptionRegister.bundled() == ExceptionRegister()
    register = ExceptionRegister((dataclasses.replace(ENTRY_OBJECT, reason="terminaux de Genève"),))
    (tmp_path / "exceptions.json").write_text(json.dumps(register.as_json(), ensure_ascii=False), "utf-8")
    assert ExceptionRegister.bundled() == register


def test_texts_that_matching_does_not_need_may_be_absent() -> None:
    needed = ("rule", "accounts", "regions", "resource", "created", "expires")
    entry = ExceptionEntry.from_json({name: ENTRY_OBJECT.as_json()[name] for name in needed})
    assert entry == dataclasses.replace(ENTRY_OBJECT, reason="", approver="", ticket="", compensating_control="")


# ------------------------------------------------------------------------------------------------------------ matching


def test_an_entry_covers_exactly_its_rule_account_region_resource_and_days(tmp_path: Path) -> None:
    register = load(tmp_path, ENTRY)
    rule, account, region, day = "PCI_LISTENER_TLS_ONLY", "700000000007", "eu-west-1", TODAY
    entry = register.match(rule, account, region, ARN, None, day)
    assert entry is not None
    assert (entry.ticket, entry.expires) == ("SEC-1", date(2027, 3, 31))
    assert register.match(rule, account, region, "an id", ARN, day) is entry, "the ARN counts as well as the id"
    assert register.match(rule, account, region, ARN, None, date(2027, 3, 31)) is entry
    assert register.match(rule, account, region, ARN, None, date(2026, 11, 1)) is entry
    for other in (
        ("PCI_PASSWORD_POLICY", account, region, ARN, None, day),
        (rule, "600000000006", region, ARN, None, day),
        (rule, account, "us-east-1", ARN, None, day),
        (rule, account, "global", ARN, None, day),
        (rule, account, region, ARN.replace("legacy", "public"), None, day),
        (rule, account, region, ARN.replace("legacy", "Legacy"), None, day),
        (rule, account, region, "legacy", None, day),
        (rule, account, region, ARN, None, date(2026, 10, 31)),
        (rule, account, region, ARN, None, date(2027, 4, 1)),
    ):
        assert register.match(*other) is None


def named(resource: str, resource_id: str, arn: str | None = None) -> bool:
    entry = dataclasses.replace(ENTRY_OBJECT, resource=resource)
    return entry.names("PCI_X", "700000000007", "eu-west-1", resource_id, arn)


@pytest.mark.parametrize(
    ("resource", "resource_id", "arn", "expected"),
    [
        ("sg-1", "sg-1", None, True),
        ("sg-1", "sg-12", None, False),
        ("sg-1", "SG-1", None, False),
        ("sg-1", "sg-1", "arn:aws:ec2:eu-west-1:700000000007:security-group/sg-1", True),
        ("arn:aws:s3:::card-files-*", "card-files-a", "arn:aws:s3:::card-files-a", True),
        ("arn:aws:s3:::card-files-*", "card-files-a", None, True),
        ("arn:aws:s3:::card-files-*", "card-file", None, False),
        ("arn:aws:s3:::payments", "payments", "arn:aws:ecs:eu-west-1:700000000007:cluster/payments", False),
        ("arn:aws:elasticloadbalancing:*:*:loadbalancer/legacy-pos", "legacy-pos", None, True),
        ("arn:aws:elasticloadbalancing:eu-west-1:700000000007:loadbalancer/legacy-pos", "legacy-pos", None, True),
        ("arn:aws:elasticloadbalancing:us-east-1:700000000007:loadbalancer/legacy-pos", "legacy-pos", None, False),
        ("arn:aws:elasticloadbalancing:eu-west-1:600000000006:loadbalancer/legacy-pos", "legacy-pos", None, False),
        ("arn:aws:elasticloadbalancing:eu-west-1:700000000007:loadbalancer/legacy-pos", "pos", None, False),
        ("arn:aws:elasticloadbalancing:eu-west-1:700000000007:loadbalancer/legacy-pos", "loadbalancer", None, False),
        ("arn:aws:rds:eu-west-1:700000000007:db:cardvault", "cardvault", None, True),
        ("arn:aws:rds:eu-west-1:700000000007:db:cardvault", "db-X", "arn:aws:rds:eu-west-1:700000000007:db:cardvault", True),
        ("arn:aws:apigateway:eu-west-1::/vpclinks/a1b2c3", "a1b2c3", None, True),
        ("arn:aws:rds:eu-west-1:700000000007:db:[abc]", "b", None, False),
        ("arn:aws:rds:eu-west-1:700000000007:db:vault?", "vault1", None, True),
        ("arn:aws:rds:eu-west-1:700000000007:db:vault?", "vault", None, False),
        ("arn:aws:rds:eu-west-1:700000000007:db:vault?", "vault12", None, False),
    ],
)
def test_ids_and_arns(resource: str, resource_id: str, arn: str | None, expected: bool) -> None:
    assert named(resource, resource_id, arn) is expected


def test_of_two_entries_the_one_that_lasts_longer_counts() -> None:
    longer = dataclasses.replace(ENTRY_OBJECT, expires=date(2027, 5, 1))
    for entries in ((ENTRY_OBJECT, longer), (longer, ENTRY_OBJECT)):
        assert ExceptionRegister(entries).match("PCI_X", "700000000007", "eu-west-1", "sg-1", None, TODAY) is longer


@pytest.mark.parametrize(
    ("on", "state"),
    [
        (date(2026, 10, 31), "not-yet"),
        (date(2026, 11, 1), "in-force"),
        (date(2027, 2, 28), "in-force"),
        (date(2027, 3, 1), "expires-soon"),
        (date(2027, 3, 31), "expires-soon"),
        (date(2027, 4, 1), "expired"),
    ],
)
def test_states(on: date, state: str) -> None:
    assert ENTRY_OBJECT.state(on) == state


def test_what_is_built_in_says_the_same() -> None:
    register = ExceptionRegister((ENTRY_OBJECT,))
    assert ExceptionRegister.from_json(register.as_json()) == register
    assert register.of_rules(["PCI_X"]) == register
    assert register.of_rules(["PCI_Y"]).entries == ()


def test_the_annotation_names_end_ticket_and_reason() -> None:
    entry = dataclasses.replace(ENTRY_OBJECT, reason="Terminals of series 4.")
    assert entry.accepted("port 80 is open") == "accepted until 2027-03-31 (SEC-1): Terminals of series 4. port 80 is open"


# ------------------------------------------------------------------------------------------------------------ the file


def test_the_shipped_register_is_valid_and_so_is_its_example(root: Path, tmp_path: Path) -> None:
    text = (root / "exceptions.yaml").read_text("utf-8")
    assert load_register(root / "exceptions.yaml").entries == ()
    example = text[text.index("# exceptions:") :].replace("# ", "").replace("#", "").rpartition("exceptions: []")[0]
    documented = (root / "docs" / "exceptions.md").read_text("utf-8").split("```yaml\n")[1].partition("```")[0]
    for text in (example, documented):
        (entry,) = load(tmp_path, text).entries
        assert entry.ticket == "SEC-1234"


@pytest.mark.parametrize("text", ["", "# nothing\n", "exceptions: []\n", "exceptions:\n", "\ufeffexceptions: []\n"])
def test_a_register_without_entries(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).entries == ()


def test_entries_keep_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text(ENTRY + ENTRY.split("\n", 1)[1], "utf-8")
    assert read_exceptions(path, KNOWN, TODAY).lines == (2, 12)


PATTERN = f'"{LISTENER}/*"'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("rule: PCI_LISTENER_TLS_ONLY", "rule: '*'", "line 2: rule: '*' is not a rule id; an exception names one rule"),
        ("PCI_LISTENER_TLS_ONLY", "PCI_LISTENER_TLS", "line 2: rule: 'PCI_LISTENER_TLS' is no rule of this catalogue; did you mean PCI_LISTENER_TLS_ONLY?"),
        ("PCI_LISTENER_TLS_ONLY", "ACCESS_KEYS_ROTATED", "line 2: rule: 'ACCESS_KEYS_ROTATED' is evaluated by AWS"),
        ("PCI_LISTENER_TLS_ONLY", "PCI_MANAGED_ACCESS_KEYS_ROTATED", "line 2: rule: 'PCI_MANAGED_ACCESS_KEYS_ROTATED' is evaluated by AWS"),
        ('["700000000007"]', '"700000000007"', "line 3: accounts: '700000000007' is not a list"),
        ('["700000000007"]', "['*']", "line 3: accounts: '*' is not valid; expected account ids of 12 digits, as text in quotes"),
        ('["700000000007"]', "[700000000007]", "line 3: accounts: '700000000007' is not valid; expected account ids of 12 digits, as text in quotes"),
        ('["700000000007"]', '\n      - "700000000007"\n      - "700000000008"', "line 5: accounts: '700000000008' is not in rdk.json; did you mean 700000000007?"),
        ('["700000000007"]', '["700000000007", "700000000007"]', "line 3: accounts: '700000000007' stands twice"),
        ('["700000000007"]', '["700000000007", "600000000006"]', "line 3: accounts: '600000000006' has no effect: the resource is in 700000000007"),
        ("[eu-west-1]", "[everywhere]", "line 4: regions: 'everywhere' is not valid; expected Regions such as eu-west-1"),
        ("[eu-west-1]", "[global]", "line 4: regions: 'global' is not valid"),
        ("[eu-west-1]", "[eu-west-2]", "line 4: regions: 'eu-west-2' is not in rdk.json; did you mean eu-west-1?"),
        ("[eu-west-1]", "[us-east-1]", f"line 5: resource: '{LISTENER}/*' is in eu-west-1, which regions does not list"),
        (PATTERN, "'*'", "line 5: resource: '*' is an id with a wildcard; write the id in full, or the ARN"),
        (PATTERN, "600000000006", "line 5: resource: '600000000006' is not text; write it in quotes"),
        (PATTERN, '"600000000006"', "line 5: resource: '600000000006' is in 600000000006, which accounts does not list"),
        (PATTERN, "arn:aws:iam::700000000007:user/jane.doe", None),
        (PATTERN, "arn:aws:cloudfront::700000000007:distribution/E1", "line 4: regions: what has no Region of its own is excepted where it is judged; expected [us-east-1]"),
        ("reason: Terminals of series 4", "reason: n/a", "line 6: reason: 'n/a' says nothing; expected what an assessor can check"),
        ("reason: Terminals of series 4", "reason: '{{ x }}'", "line 6: reason: double braces are variables"),
        ("reason: Terminals of series 4", "reason: " + "long " * 101, "line 6: reason: has 504 characters; at most 500"),
        ("reason: Terminals of series 4", r'reason: "a\u202Eb c"', "line 6: reason: holds the hidden character U+202E; write it as one line of plain text"),
        ("reason: Terminals of series 4", r'reason: "one\ntwo"', "line 6: reason: holds a line break; write it as one line of plain text"),
        ("reason: Terminals of series 4", "reason: true", "line 6: reason: 'true' is not text; write it in quotes"),
        ("reason: Terminals of series 4", "reason: [a]", "line 6: reason: this is not text; write it in quotes"),
        ("approver: CISO", "approver: ''", "line 7: approver: is missing"),
        ("approver: CISO", "approver:", "line 7: approver: is missing"),
        ("approver: CISO", "approver: T.B.D.", "line 7: approver: 'T.B.D.' says nothing; expected a person or a function"),
        ("approver: CISO", "approver: SEC-1", "line 7: approver: 'SEC-1' is neither a person nor a function"),
        ("approver: CISO", "approver: arn:aws:iam::700000000007:user/jane", "line 7: approver: 'arn:aws:iam::700000000007:user/jane' is neither"),
        ("approver: CISO", "approver: Jo", "line 7: approver: 'Jo' says nothing"),
        ("approver: CISO", "approver: Jane Doe", None),
        ("ticket: SEC-1", "tickets: SEC-1", "line 8: tickets: is no field of an exception; expected rule, accounts"),
        ("ticket: SEC-1", "ticket: soon", "line 8: ticket: 'soon' is no ticket; expected its number or address, such as SEC-1234"),
        ("ticket: SEC-1", "ticket: SEC-1\n    ticket: SEC-2", "line 9: ticket: stands twice in this entry (first on line 8); keep one"),
        ("compensating_control: VPN only", "compensating_control: none", "line 9: compensating_control: 'none' says nothing"),
        ("2026-11-01", "2026-11-25", "line 10: created: 2026-11-25 is in the future (today is 2026-11-24, UTC)"),
        ("2026-11-01", "2026-11-24", None),
        ("2026-11-01", "2026-11-01 10:00:00", "line 10: created: '2026-11-01 10:00:00' is no date"),
        ("2027-03-31", "2027-11-01", None),
        ("2027-03-31", "2027-11-02", "line 11: expires: 2027-11-02 is not within 12 months after created (2026-11-01)"),
        ("2027-03-31", "2026-11-01", "line 11: expires: 2026-11-01 is not within 12 months"),
        ("2027-03-31", "2027-02-30", "line 11: expires: '2027-02-30' is no date"),
        ("2027-03-31", "soon", "line 11: expires: 'soon' is no date; created and expires are dates such as 2026-11-24"),
    ],
)  # fmt: skip
def test_faults_are_named_with_the_line_of_their_field(tmp_path: Path, old: str, new: str, problem: str | None) -> None:
    assert old in ENTRY
    text = ENTRY.replace(old, new)
    if problem is None:
        assert load(tmp_path, text).entries
        return
    found = refused(tmp_path, text)
    assert any(each.startswith(problem) for each in found), found


def test_every_fault_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    found = refused(tmp_path, ENTRY.replace("CISO", "TBD").replace("SEC-1", "soon") + "  - nonsense\n")
    assert [each.split(":")[0] for each in found] == ["line 7", "line 8", "line 12"]
    assert found[2] == (
        "line 12: an entry is an object with the fields rule, accounts, regions, resource, reason, approver, ticket,"
        " compensating_control, created, expires"
    )


def test_a_missing_field_is_told_with_the_line_of_its_entry(tmp_path: Path) -> None:
    assert refused(tmp_path, ENTRY.replace("    ticket: SEC-1\n", "")) == ["line 2: ticket: is missing"]


def test_without_a_catalogue_only_forms_are_checked(tmp_path: Path) -> None:
    assert load(
        tmp_path, ENTRY.replace("PCI_LISTENER_TLS_ONLY", "PCI_OTHER").replace("700000000007", "123456789012"), None
    ).entries


def test_a_leap_day_has_its_year_too(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.yaml"
    text = ENTRY.replace("2026-11-01", "2028-02-29")
    for end, valid in (("2029-02-28", True), ("2029-03-01", False)):
        path.write_text(text.replace("2027-03-31", end), "utf-8")
        if valid:
            assert load_register(path, KNOWN, date(2028, 3, 1)).entries
        else:
            with pytest.raises(ExceptionsError, match="line 11: expires"):
                load_register(path, KNOWN, date(2028, 3, 1))


def test_today_is_the_clocks_when_none_is_given(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.yaml"
    ahead = datetime.now(UTC).date() + timedelta(days=3)
    path.write_text(ENTRY.replace("2026-11-01", str(ahead)).replace("2027-03-31", str(ahead + timedelta(days=9))), "utf-8")
    with pytest.raises(ExceptionsError, match="is in the future"):
        load_register(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "line 1: expected one key, 'exceptions', with a list of entries"),
        ("exception: []", "line 1: expected one key"),
        ("{}", "line 1: expected one key"),
        ("exceptions: []\nother: 1", "line 2: expected one key"),
        ("exceptions: []\nexceptions: []", "line 2: expected one key, 'exceptions', with a list of entries, once"),
        ("exceptions: {a: 1}", "line 1: expected one key"),
        ("exceptions: text", "line 1: expected one key"),
        ("exceptions: [1]", "line 1: an entry is an object"),
        ("exceptions: [\n  {", "line 2: is not YAML"),
        ("a: b: c", "line 1: is not YAML"),
        ("exceptions: []\n---\nexceptions: []", "line 2: is not YAML"),
        ("exceptions:\n  - &a {rule: x}\n  - *a", "line 2: anchors and aliases hide what an entry says; write it in full"),
        ("exceptions: []  # \u202e hidden", "line 1: holds the hidden character U+202E; remove it"),
        ("# fine\nexceptions: []  # a\u200bb", "line 2: holds the hidden character U+200B; remove it"),
        ("exceptions: " + "[" * 3000 + "]" * 3000, "is not YAML: nested too deeply"),
    ],
)
def test_malformed_files(tmp_path: Path, text: str, problem: str) -> None:
    (found, *_) = refused(tmp_path, text)
    assert found.startswith(problem)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ExceptionsError, match=r"absent\.yaml: cannot be read"):
        load_register(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"exceptions: []  # caf\xe9\n")
    with pytest.raises(ExceptionsError, match="is not UTF-8 text"):
        load_register(tmp_path / "latin.yaml")


# ------------------------------------------------------------------------------------- what a resource may look like

ELB = "arn:aws:elasticloadbalancing:eu-west-1:700000000007:"


@pytest.mark.parametrize(
    "resource",
    [
        "sg-0c0ffee1234567890", "legacy-pos", "card-files", "600000000006", "AIDAEXAMPLEUSER000001",
        f"{ELB}listener/app/legacy/*", f"{ELB}listener/app/pos/*", f"{ELB}listener/app/lega*", f"{ELB}loadbalancer/lega*",
        "arn:aws:elasticloadbalancing:*:*:loadbalancer/app/legacy/*", f"{ELB}listener/app/legacy/1/2",
        "arn:aws:s3:::card*", "arn:aws-cn:s3:::card-files-??", "arn:aws:iam::700000000007:user/robots/*",
        "arn:aws:iam::700000000007:role/aws-reserved/sso.amazonaws.com/*",
        "arn:aws:ecs:eu-west-1:700000000007:task-definition/a:*", "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4e5/*",
        "arn:aws:wafv2:eu-west-1:700000000007:regional/webacl/edge*", "arn:aws:rds:eu-west-1:700000000007:db:vault*",
        "arn:aws:newservice:eu-west-1:700000000007:thing/one",
    ],
)  # fmt: skip
def test_resources_that_an_exception_may_name(resource: str) -> None:
    assert resource_fault(resource) is None


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        ("*", "id with a wildcard"), ("????", "id with a wildcard"), ("sg-*", "id with a wildcard"), ("sg-0*", "id with a wildcard"),
        ("AIDA*", "id with a wildcard"), ("db-*", "id with a wildcard"), ("a*?*", "id with a wildcard"),
        ("[a-z]*", "brackets and braces"),
        ("{{ global:REGION }}", "a space"), ("{{global:REGION}}", "brackets and braces"), (f"{ELB}listener/app/[a-z]*", "brackets and braces"),
        ("two words", "a space or a character"), ("caf\u00e9", "a space or a character"), ("a\nb", "a space or a character"), ("", "a space"),
        ("x" * 769, "has 769 characters"),
        ("arn:*", "is no ARN"), ("arn:aws:*", "is no ARN"), ("ARN:aws:s3:::card-files", "is no ARN"), ("arn:*:s3:::card-files", "is no ARN"),
        ("arn:aws:*:eu-west-1:700000000007:listener/app/legacy", "is no ARN"), ("arn:aws:s3:::", "is no ARN"),
        ("arn:aws:ec2:eu-*:700000000007:vpc/vpc-1", "the ARN's Region 'eu-*'"),
        ("arn:aws:ec2:eu-west-1:7*:vpc/vpc-1", "the ARN's account '7*'"),
        ("arn:aws:s3:::*", "at least 4 characters"), ("arn:aws:s3:::car*", "at least 4 characters"), ("arn:aws:s3:::???????", "at least 4 characters"),
        ("arn:aws:s3:::*card-files", "at least 4 characters"),
        (f"{ELB}*", "not known for this kind"), (f"{ELB}list*", "not known for this kind"), (f"{ELB}listener/*", "not known for this kind"),
        (f"{ELB}listener/app*", "not known for this kind"), (f"{ELB}listener/app/*", "at least 4 characters"),
        (f"{ELB}listener/app/leg*", "at least 4 characters"), (f"{ELB}listener/app/*/50dc6c495c0c9188/*", "at least 4 characters"),
        (f"{ELB}loadbalancer/*", "at least 4 characters"), (f"{ELB}loadbalancer/app*", "at least 4 characters"),
        (f"{ELB}listener/app//*", "at least 4 characters"),
        ("arn:aws:ec2:eu-west-1:700000000007:security-group/sg-0c0f*", "not known for this kind of ec2 ARN"),
        ("arn:aws:cloudfront::700000000007:distribution/E1PC*", "not known for this kind"),
        ("arn:aws:apigateway:eu-west-1::/restapis/*/stages/prod", "AWS drew this id"),
        ("arn:aws:apigateway:eu-west-1::/restapis/a1b2*", "AWS drew this id"), ("arn:aws:apigateway:eu-west-1::/restapis//*", "AWS drew this id"),
        ("arn:aws:iam::700000000007:role/*", "at least 4 characters"), ("arn:aws:iam::700000000007:role/aws-service-role/*", "at least 4 characters"),
        ("arn:aws:iam::700000000007:*", "not known for this kind"), ("arn:aws:wafv2:eu-west-1:700000000007:regional/weba*", "not known for this kind"),
        ("arn:aws:logs:eu-west-1:700000000007:log-group:/aws/*", "at least 4 characters"), ("arn:aws:logs:eu-west-1:700000000007:log-group:*", "at least 4"),
        ("arn:aws:newservice:eu-west-1:700000000007:thing/one*", "not known for this kind of newservice ARN"),
    ],
)  # fmt: skip
def test_resources_that_name_nothing_in_particular(resource: str, why: str) -> None:
    fault = resource_fault(resource)
    assert fault is not None
    assert why in fault
