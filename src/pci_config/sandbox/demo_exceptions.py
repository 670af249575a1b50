"""The sample issuer's register of accepted deviations: one entry in force, one that ended yesterday."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from pci_config.sandbox.organization import Issuer

REGISTER = """\
# The register of the sample card issuer. The demo writes it anew each time, so that its dates fit.
exceptions:
  - rule: PCI_LISTENER_TLS_ONLY
    accounts: ["{staging}"]
    regions: [{region}]
    resource: "arn:aws:elasticloadbalancing:{region}:{staging}:listener/app/public-api/*"
    reason: Test terminals of series 4 fetch their parameters from /legacy over HTTP until they are replaced
    approver: Chief information security officer
    ticket: SEC-1234
    compensating_control: The path serves signed parameter files without account data; staging holds no card data
    created: {created}
    expires: {expires}
  - rule: PCI_LOAD_BALANCER_LOG_DELIVERED
    accounts: ["{development}"]
    regions: [{region}]
    resource: legacy-pos
    reason: The load balancer was to be removed with the old point-of-sale simulator
    approver: Head of platform engineering
    ticket: SEC-0987
    compensating_control: Flow logs of its VPC are kept in the archive
    created: {past}
    expires: {ended}
"""


def write_register(path: Path, issuer: Issuer, region: str, today: date) -> None:
    """Write the register into `path`, as somebody would have who reviewed it some weeks ago."""
    text = REGISTER.format(
        staging=issuer.accounts["staging"],
        development=issuer.accounts["development"],
        region=region,
        created=today - timedelta(days=30),
        expires=today + timedelta(days=120),
        past=today - timedelta(days=200),
        ended=today - timedelta(days=1),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
