"""What stops a deployment, told to people: what, where, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OrganizationAccessDeniedException")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")
REGISTER = """\
in the management account: register this account as delegated administrator of config.amazonaws.com,
  config-multiaccountsetup.amazonaws.com and member.org.stacksets.cloudformation.amazonaws.com
  (`aws organizations register-delegated-administrator`)"""
_FIXES = (
    (DENIED, "let the role do that, or use the delegated administrator's credentials (--profile, --role)"),
    (EXPIRED, "sign in again and run the same command; it goes on where it was"),
    (("LimitExceededException", "LimitExceeded"), "ask Service Quotas for more, then run the same command again"),
    (("ValidationError", "ValidationException"), "if the message names a template, run `pci-config build` and deploy again"),
)
# words of the message, before its code: one code is for much
_MESSAGE_FIXES = (
    (("ROLLBACK_FAILED",), "`aws cloudformation continue-update-rollback` with that stack, then run the same command again"),
    (
        ("organizations access",),
        "in the management account: activate trusted access of StackSets, `aws cloudformation activate-organizations-access`",
    ),
    (
        ("delegated admin", "delegated administrator"),
        REGISTER,
    ),
)
# words of a failed account's reason, and what to do about it; the first that fits
_ACCOUNT_FIXES = (
    (
        ("configuration recorder", "NoAvailableConfigurationRecorder", "no recorder"),
        "turn on the configuration recorder of that account and Region (or Deployment.Recorder: create), then deploy again",
    ),
    (
        ("cannot be invoked", "InsufficientPermissions", "function's permissions", "Function not found"),
        "the function was not there when the pack came: see that the account's stacks are CURRENT, then deploy again",
    ),
    (("AWSControlTower", "service control policy", "explicit deny"), "exempt the role stacksets-exec-* from that policy"),
    (("already exists",), "delete or rename what has that name in the account, then deploy again"),
    (("suspended", "SUSPENDED"), "close the account, or name it in Deployment.ExcludedAccounts"),
    (("AccessDenied", "not authorized", "AccessDenied"), "see which policy denies it in the account, then deploy again"),
    (("quota", "limit", "Limit"), "raise the quota of that account and Region, then deploy again"),
    (("ROLLBACK", "DELETE_FAILED"), "delete the named stack in the account, then deploy again"),
    (("document",), "the remediation document was not there: see that the account's stacks are CURRENT, then deploy again"),
)
_OTHER_FIX = "look at the events of the account's stack in CloudFormation, mend what they name, then deploy again"


class DeployError(Exception):
    """The deployment cannot go on."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}\n  what to do: {fix}")
        self.what, self.fix = what, fix


@dataclass(frozen=True, order=True)
class Failure:
    """A part that failed while the rest goes on: an account's stack or pack."""

    account: str
    region: str
    of: str  # the StackSet, stack or pack
    reason: str
    fix: str

    @classmethod
    def because(cls, account: str, region: str, of: str, reason: str) -> Failure:
        reason = " ".join(reason.split()) or "AWS gives no reason"
        return cls(account, region, of, reason, account_fix(reason))

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Outcome:
    """`stopped`: the phase after which no more was done, because too many accounts failed in it."""

    failures: list[Failure] = field(default_factory=list)
    stopped: str = ""

    def document(self) -> dict[str, Any]:
        return {
            "completed": not self.failures,
            "stopped": self.stopped or None,
            "failures": [failure.document() for failure in sorted(self.failures)],
        }


def account_fix(reason: str) -> str:
    """What a person should do about a reason that AWS gives."""
    return next((fix for words, fix in _ACCOUNT_FIXES if any(word in reason for word in words)), _OTHER_FIX)


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code") or "")


@contextmanager
def doing(what: str, if_denied: str = "") -> Iterator[None]:
    """Whatever AWS refuses inside becomes a DeployError that says what was tried. `if_denied`: what to do in that case."""
    try:
        yield
    except NoCredentialsError:
        raise DeployError(f"cannot {what}: there are no credentials", "sign in, or name a profile with --profile") from None
    except ClientError as error:
        code, message = code_of(error), error.response.get("Error", {}).get("Message", "")
        fixes = [fix for words, fix in _MESSAGE_FIXES if any(word in message for word in words)]
        fixes += [if_denied] if if_denied and code in DENIED else []
        fixes += [fix for codes, fix in _FIXES if code in codes]
        fix = next(iter(fixes), "mend what the message names, then run the command again")
        raise DeployError(f"cannot {what}: {code}: {message}", fix) from error
    except BotoCoreError as error:
        raise DeployError(f"cannot {what}: {error}", "see that AWS can be reached, then run the command again") from error
