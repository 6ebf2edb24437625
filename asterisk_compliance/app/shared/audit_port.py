"""The part of the audit log that most of the shell needs: appending rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from asterisk_compliance.domain.audit.rows import Draft


class AuditAppender(Protocol):
    """Appends rows to the audit log, all of one call or none of them."""

    def append(self, *drafts: Draft) -> Awaitable[int]:
        """Append rows; the result is the number of the last one, once all are durable.

        Raises:
            StoreUnavailable: none was written.
        """
