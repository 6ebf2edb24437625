"""Rules across tables: each table may be valid alone, and all together may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asterisk_compliance.domain.access.purpose_limitation import OWN_CODES
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, Fallback, ToldBy

SERVICE_NODE = "service"
"""``node`` of rows that are about no single Asterisk."""


NOTICE_KEYS = ("notice", "notice_opt_out", "notice_opt_in", "notice_joined")
"""Where a policy names notices."""


def disagreements(raw: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[str]:
    """What each table may say alone, and all of them together may not."""
    yield from _doubles(raw)
    yield from _policy_disagreements(raw, tables)
    yield from _canary_disagreements(raw, tables)
    yield from _fallback_disagreements(tables)
    for number, purpose in tables.get("purpose", {}).items():
        if purpose.code in OWN_CODES:
            yield f"purpose[{number}].code: this code is the service's own"
    for number, asterisk in tables.get("asterisk", {}).items():
        if asterisk.node == SERVICE_NODE:
            yield f"asterisk[{number}].node: this name is the service's own"
        yield from _wires(f"asterisk[{number}]", asterisk)
        if asterisk.ari is not None and asterisk.ari.application in asterisk.ari.tell:
            yield f"asterisk[{number}].ari.tell: names our own application"
    yield from _shared(tables.get("asterisk", {}))
    if raw.get("asterisk") == []:
        yield "asterisk: there must be at least one"
    here = items(raw, "asterisk")
    only_observes = bool(here) and all(map(_only_observes, here))
    for key in ("notice", "policy"):
        if key not in raw and not only_observes:
            yield f"{key}: is missing"


def _only_observes(asterisk: Mapping[str, Any]) -> bool:
    """``asterisk``: as the file has it."""
    return "observe" in asterisk and not {"ari", "agi"} & asterisk.keys()


def _wires(address: str, asterisk: Any) -> Iterator[str]:
    """By what calls are taken and followed; who only observes needs less."""
    if asterisk.observe is not None and asterisk.ami is None:
        yield f"{address}.observe: needs [asterisk.ami]"
    if asterisk.ari is not None or (asterisk.agi is None and asterisk.observe is not None):
        return
    if asterisk.agi is None:
        yield f"{address}: needs [asterisk.ari], or [asterisk.agi] without ARI"
    if asterisk.ami is None:
        yield f"{address}: without ARI, calls are followed by [asterisk.ami]"


def _doubles(raw: Mapping[str, Any]) -> Iterator[str]:
    keys = {
        "asterisk": "node",
        "purpose": "code",
        "notice": "id",
        "policy": "name",
        "role": "name",
        "webhook": "name",
    }
    for key, name in keys.items():
        yield from _repeated(key, name, raw)


def _shared(asterisks: Mapping[int, Any]) -> Iterator[str]:
    """What no two Asterisks can have in common: by it we tell whose a call or a file is."""
    of: dict[object, int] = {}
    names: set[str] = set()
    for number, one in asterisks.items():
        if one.node in names:  # that is said already
            continue
        names.add(one.node)
        own: dict[str, object] = {"spool": one.spool_path}
        if one.ari is not None:
            own["ari.url"] = one.ari.url
        for name, wire in (("ami", one.ami), ("agi", one.agi)):
            if wire is not None:
                own[f"{name}.port"] = (wire.host, wire.port)
        for key, value in own.items():
            first = of.setdefault((key, value), number)
            if first != number:
                yield f"asterisk[{number}].{key}: is that of asterisk[{first}] too"


def _policy_disagreements(raw: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[str]:
    notices = {notice.id: notice for notice in tables.get("notice", {}).values()}
    declared = [item.get("id") for item in items(raw, "notice")]
    for number, policy in tables.get("policy", {}).items():
        for key in NOTICE_KEYS:
            chosen = getattr(policy, key)
            if chosen is None:
                continue
            if chosen not in declared:
                yield f"policy[{number}].{key}: there is no such notice"
                continue
            notice = notices.get(chosen)
            if notice is None:
                continue  # what is wrong with the notice itself is said already
            its = "its notice" if key == "notice" else f"its {key}"
            for language in policy.languages:
                if language not in notice.wording:
                    yield f"policy[{number}].languages: {its} has no wording in {language}"
        yield from _untold_purposes(number, policy, notices)


def _canary_disagreements(raw: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[str]:
    """A synthetic caller presses no key, and its recording must begin by itself."""
    canary = tables.get("canary")
    if canary is None or not canary.every_min:
        return
    if all(asterisk.ari is None for asterisk in tables.get("asterisk", {}).values()):
        yield "canary: needs [asterisk.ari]"
    if canary.policy not in [item.get("name") for item in items(raw, "policy")]:
        yield "canary.policy: there is no such policy"
    for policy in tables.get("policy", {}).values():
        if policy.name == canary.policy and policy.consent == Consent.OPT_IN:
            yield "canary.policy: that policy asks for a key, and nobody presses one"
        if policy.name == canary.policy and policy.capture == CaptureFrom.ON_DEMAND:
            yield "canary.policy: that policy records only when somebody asks"


def _fallback_disagreements(tables: Mapping[str, Any]) -> Iterator[str]:
    """What the dialplan records alone must be adopted, behind the notice and nothing else."""
    without = [n for n, asterisk in tables.get("asterisk", {}).items() if asterisk.ari is None]
    for number, policy in tables.get("policy", {}).items():
        if policy.fallback is not Fallback.RECORD:
            continue
        for asterisk in without:
            yield f"policy[{number}].fallback: asterisk[{asterisk}] has no ARI to adopt by"
        for key, notice in _its_notices(policy, tables):
            if notice.purposes_told_by is ToldBy.PUBLICATION:
                what = f"its {key} tells purposes by publication"
                yield f"policy[{number}].fallback: {what}, and the dialplan alone looks at no date"
        if policy.sales.introduction is not None:
            yield f"policy[{number}].fallback: the dialplan alone says no sales.introduction"


def _its_notices(policy: Any, tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The right ones among the notices of a policy, by their keys."""
    notices = {notice.id: notice for notice in tables.get("notice", {}).values()}
    for key in NOTICE_KEYS:
        if getattr(policy, key) in notices:
            yield key, notices[getattr(policy, key)]


def _untold_purposes(number: int, policy: Any, notices: Mapping[str, Any]) -> Iterator[str]:
    """Who joins a recording must be told all purposes that the others were told."""
    joined = notices.get(policy.notice_joined)
    if joined is None:
        return
    for key in ("notice", "notice_opt_out", "notice_opt_in"):
        told = notices.get(getattr(policy, key))
        for code in told.purposes if told else ():
            if code not in joined.purposes:
                yield f"policy[{number}].notice_joined: does not tell purpose {code} of its {key}"


def unreadable_secrets(tables: Mapping[str, Any]) -> Iterator[str]:
    for number, asterisk in tables.get("asterisk", {}).items():
        for name in ("ari", "ami"):
            login = getattr(asterisk, name)
            try:
                if login is not None:
                    login.secret()
            except ValueError as error:
                yield f"asterisk[{number}].{name}: {error}"


def _repeated(key: str, name: str, raw: Mapping[str, Any]) -> Iterator[str]:
    seen: set[object] = set()
    for number, item in enumerate(items(raw, key), 1):
        value = item.get(name)
        if isinstance(value, str):
            if value in seen:
                yield f"{key}[{number}].{name}: is there twice"
            seen.add(value)


def items(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The tables of a list, as the file has them."""
    items = raw.get(key, [])
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
