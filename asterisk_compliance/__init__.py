"""Compliant call recording for Asterisk: told first, recorded after, provable for years.

What programs of others may use is in ``__all__``; ``docs/developers.md`` shows it. It is imported
when it is asked for, so that ``import asterisk_compliance`` costs nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asterisk_compliance.api.log import AuditLog, check_proof
    from asterisk_compliance.api.notice_flow import AriActions, NoticeFlow
    from asterisk_compliance.api.site import Site
    from asterisk_compliance.api.webhook import verify_webhook
    from asterisk_compliance.domain.audit.encoding import Row
    from asterisk_compliance.domain.call.decision import Decision, Next, Reason, Status
    from asterisk_compliance.errors import (
        ComplianceError,
        ConfigError,
        LogBroken,
        RequestRefused,
        StoreError,
        StoreLocked,
        StoreUnavailable,
        WebhookRefused,
    )
    from asterisk_compliance.storage.proofs.verdict import Fault
    from asterisk_compliance.storage.proofs.verdict import LogVerdict as Verdict
    from asterisk_compliance.storage.proofs.verdict import ProofLevel as Level
    from asterisk_compliance.version import __version__

__all__ = [
    "AriActions",
    "AuditLog",
    "ComplianceError",
    "ConfigError",
    "Decision",
    "Fault",
    "Level",
    "LogBroken",
    "Next",
    "NoticeFlow",
    "Reason",
    "RequestRefused",
    "Row",
    "Site",
    "Status",
    "StoreError",
    "StoreLocked",
    "StoreUnavailable",
    "Verdict",
    "WebhookRefused",
    "__version__",
    "check_proof",
    "verify_webhook",
]

_PLACES = {
    "api.log": ("AuditLog", "check_proof"),
    "api.notice_flow": ("AriActions", "NoticeFlow"),
    "api.site": ("Site",),
    "api.webhook": ("verify_webhook",),
    "domain.call.decision": ("Decision", "Next", "Reason", "Status"),
    "domain.audit.encoding": ("Row",),
    "errors": (
        *("ComplianceError", "ConfigError", "LogBroken", "RequestRefused"),
        *("StoreError", "StoreLocked", "StoreUnavailable", "WebhookRefused"),
    ),
    "storage.proofs.verdict": ("Fault", "Level", "Verdict"),
    "version": ("__version__",),
}
_NAMED_THERE = {"Level": "ProofLevel", "Verdict": "LogVerdict"}
"""The few names of ``__all__`` that are longer where they are defined."""


def __getattr__(name: str) -> object:
    """Import one of ``__all__``, the first time that somebody asks for it (PEP 562)."""
    for place, names in _PLACES.items():
        if name in names:
            from importlib import import_module

            found = globals()[name] = getattr(
                import_module(f"{__name__}.{place}"), _NAMED_THERE.get(name, name)
            )
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
