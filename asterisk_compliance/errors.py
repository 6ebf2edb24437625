"""Every error this package raises on purpose.

    ComplianceError
    ├── ConfigError             bad or contradictory settings, all of them at once   exit 2
    ├── AsteriskError
    │   ├── AsteriskUnavailable ARI or AMI cannot be reached, or did not answer      exit 3
    │   ├── RequestRefused      Asterisk answered, and said no                       exit 3
    │   └── ApplicationReplaced another service took our Stasis application          exit 2
    ├── StoreError
    │   ├── StoreUnavailable    no store, or a row could not be made durable         exit 3
    │   ├── StoreLocked         another process owns the store                       exit 3
    │   └── LogBroken           stored rows do not verify                            exit 1
    ├── RecordingUnreadable     a recorded file is not what MixMonitor writes        exit 1
    ├── WebhookRefused          a message does not bear the signature it must bear   exit 1
    ├── SealingFailed           it cannot be encrypted, or is not what was sealed    exit 1
    └── IdentityRefused         no identity in a file opens what is sealed           exit 1

Exit codes of the command line: 0 yes, 1 a negative finding, 2 usage or configuration,
3 Asterisk or the store cannot be reached. Catch the leaf you can act on; only the top of a
command and of a call's task catch ``ComplianceError``.
"""


class ComplianceError(Exception):
    """Base class.

    Attributes:
        hint: What the operator can do next, one sentence; empty if there is nothing to say.
    """

    exit_code = 1
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class ConfigError(ComplianceError):
    """The configuration is wrong.

    Attributes:
        problems: Every problem that was found, each with its address in the file. No problem
            repeats a value, because a value can be a secret.
    """

    exit_code = 2

    def __init__(self, source: str, problems: list[str], *, hint: str = "") -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{source}: {count}:{lines}", hint=hint)
        self.problems = problems


class AsteriskError(ComplianceError):
    exit_code = 3


class AsteriskUnavailable(AsteriskError):
    """ARI or AMI cannot be reached, the connection was lost, or no answer came in time."""


class RequestRefused(AsteriskError):
    """Asterisk answered a request, and the answer is no.

    Attributes:
        request: What was asked, without any value a caller controls, e.g. ``"answer"``.
        status: HTTP status of ARI; 0 for AMI, which has none.
    """

    def __init__(self, request: str, status: int, reason: str = "", *, hint: str = "") -> None:
        said = f"{status} {reason}".strip() if status else reason
        super().__init__(f"Asterisk refused {request}: {said}", hint=hint)
        self.request = request
        self.status = status


class ApplicationReplaced(AsteriskError):
    """Another client registered our Stasis application; Asterisk gives it all new calls."""

    exit_code = 2
    hint = "stop the other service, or give this one its own application name"


class StoreError(ComplianceError):
    exit_code = 3


class StoreUnavailable(StoreError):
    """No store, or a row is not durable: what that row announces must not happen."""


class StoreLocked(StoreError):
    """Another process owns the store; the message names it."""


class LogBroken(StoreError):
    """The audit log does not verify.

    Attributes:
        seq: The first row in doubt, or ``None`` when only the tree's head disagrees.
    """

    exit_code = 1
    hint = "stop writing, copy the store aside, and compare it with an earlier checkpoint"

    def __init__(self, why: str, seq: int | None = None, *, hint: str = "") -> None:
        super().__init__(why if seq is None else f"row {seq}: {why}", hint=hint)
        self.seq = seq


class RecordingUnreadable(ComplianceError):
    """A recorded file is not the PCM that MixMonitor writes."""


class WebhookRefused(ComplianceError):
    """A message is not from whom it says, is not whole, or is too old."""


class SealingFailed(ComplianceError):
    """Something cannot be encrypted or decrypted, or the disk does not hold what was written."""


class IdentityRefused(ComplianceError):
    """A file of identities holds none, or none that opens what is sealed."""

    hint = "an identity opens what was encrypted to its own public key: recordings show"
