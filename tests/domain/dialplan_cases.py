"""A few lines for each finding about a dialplan that make it, and the same lines mended."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from asterisk_compliance.domain.dialplan.config_lines import statements
from asterisk_compliance.domain.dialplan.findings import DialplanFindingId
from asterisk_compliance.domain.dialplan.model import plan_of
from domain.checked_dialplan import TOLD, call

OUTSIDE = "Dial(PJSIP/0398765432@trunk,30)"
TRUNK_TOLD = "Dial(PJSIP/0398765432@trunk,30,U(compliance-callee^direct))"
ONLY_IF = 'ExecIf($["${COMPLIANCE_STATUS}"="ALLOWED"]?MixMonitor(a.wav))'
TRUNK_NUMBER = "Dial(PJSIP/03@trunk,30,U(compliance-callee^direct^outbound^${EXTEN}))"
TELEPHONE = "Dial(PJSIP/1001,30)"


class Case(NamedTuple):
    """``at``: the priority that is named, where it is not the first one of ``from-trunk``."""

    id: DialplanFindingId
    broken: str
    mended: str
    at: str = "from-trunk,0312345678,1"
    said: Mapping[str, Any] = MappingProxyType({})


def case(
    name: str,
    broken: str | tuple[str, ...],
    mended: str | tuple[str, ...],
    at: int = 1,
    **said: Any,
) -> Case:
    """A case of one extension; what it executes, and which of that is named."""
    texts = [call(*([one] if isinstance(one, str) else one)) for one in (broken, mended)]
    return Case(DialplanFindingId[name], *texts, f"from-trunk,0312345678,{at}", said)


def whole(name: str, broken: str, mended: str, at: str, **said: Any) -> Case:
    return Case(DialplanFindingId[name], broken, mended, at, said)


GLOBAL = "[globals]\nCOMPLIANCE_{} = {}\n"
RECORDS = {"automix": "*3,self/both,MixMonitor,a.wav"}
FEATURES = {"compliancesegment": "D,self,Gosub", **RECORDS}

CASES = [
    # recorded before the notice, or without asking
    case("RECORDED_UNTOLD", ("MixMonitor(a.wav)", TOLD), (TOLD, ONLY_IF)),
    case("RECORDED_UNTOLD", ("Monitor(wav,a)", TOLD), (TOLD, ONLY_IF)),
    case("RECORDED_UNTOLD", "Record(a.wav)", "VoiceMail(1001@default)"),
    case(
        "RECORDED_UNTOLD",
        "Queue(sales,t)",
        "Queue(other,t)",
        recording_queues=frozenset({"sales"}),
    ),
    case(
        "RECORDED_UNTOLD",
        "ConfBridge(1,kept)",
        "ConfBridge(1,other)",
        recording_bridges=frozenset({"kept"}),
    ),
    case(
        "RECORDED_UNTOLD",
        "ConfBridge(1)",
        "ConfBridge(1)",
        recording_bridges=frozenset({"default_bridge"}),
    ),
    case("RECORDED_UNTOLD", "Set(CONFBRIDGE(bridge,record_conference)=yes)", "NoOp()"),
    case("RECORDED_UNTOLD", "Dial(PJSIP/1001,30,tX)", "Dial(PJSIP/1001,30,t)"),
    case("RECORDED_UNTOLD", "Queue(sales,w)", "Queue(sales,t)"),
    case("RECORDED_UNTOLD", "Set(FEATUREMAP(automixmon)=*3)", "Set(FEATUREMAP(automixmon)=)"),
    case("RECORDED_UNTOLD", "ChanSpy(PJSIP,qr(a))", "ChanSpy(PJSIP,q)"),
    case("RECORDED_UNTOLD", "Page(PJSIP/1001&PJSIP/1002,qr)", "Page(PJSIP/1001,q)"),
    case("RECORDED_UNTOLD", "ExecIf(${X}?MixMonitor(a.wav):NoOp())", "ExecIf(${X}?NoOp():NoOp())"),
    case("RECORDED_UNTOLD", "TryExec(MixMonitor(a.wav))", "TryExec(NoOp())"),
    case(
        "RECORDED_UNTOLD",
        "Set(DYNAMIC_FEATURES=other#automix)",
        "Set(DYNAMIC_FEATURES=other)",
        features=FEATURES,
    ),
    whole(
        "RECORDED_UNTOLD",
        "[globals]\nDYNAMIC_FEATURES=automix\n",
        "[globals]\nDYNAMIC_FEATURES=other\n",
        "",
        features=FEATURES,
    ),
    case("DECISION_NOT_ASKED", (TOLD, "MixMonitor(a.wav)"), (TOLD, ONLY_IF), 2),
    case(
        "DECISION_NOT_ASKED",
        (TOLD, 'ExecIf($["${COMPLIANCE_STATUS}"!="REFUSED"]?MixMonitor(a.wav))'),
        (TOLD, ONLY_IF),
        2,
    ),
    case("DECISION_NOT_ASKED", (TOLD, "Dial(PJSIP/1001,30,X)"), (TOLD, TELEPHONE), 2),
    case(
        "DECISION_NOT_ASKED",
        "Dial(PJSIP/0398765432@trunk,30,xU(compliance-callee^direct))",
        TRUNK_TOLD,
    ),
    case("RECORDED_TWICE", (TOLD, ONLY_IF), (TOLD, "NoOp()"), 2),
    # called and not told
    case("OUTSIDE_NOT_TOLD", OUTSIDE, TRUNK_TOLD),
    case("OUTSIDE_NOT_TOLD", "Dial(PJSIP/2001,30)", TELEPHONE),
    case(
        "OUTSIDE_NOT_TOLD", "Dial(PJSIP/2001&PJSIP/1001,30,A(hello))", "Dial(PJSIP/1001&PJSIP/1002)"
    ),
    case(
        "OUTSIDE_NOT_TOLD", "RetryDial(beep,1,2,DAHDI/g1/03,30)", "RetryDial(beep,1,2,PJSIP/1001)"
    ),
    whole(
        "OUTSIDE_NOT_TOLD",
        "[globals]\nWAY = SIP/carrier\n" + call("Dial(${WAY}/0398765432)"),
        "[globals]\nWAY = PJSIP\n" + call("Dial(${WAY}/1001)"),
        "from-trunk,0312345678,1",
    ),
    # emergencies
    whole(
        "EMERGENCY_TOLD",
        "[staff]\nexten => 110,1,Goto(out,1)\nexten => out,1," + TRUNK_TOLD,
        "[staff]\nexten => 110,1,Goto(out,1)\nexten => out,1," + OUTSIDE,
        "staff,out,1",
    ),
    whole(
        "EMERGENCY_TOLD",
        f"[staff]\nexten => 119,1,{TOLD}\n same => n,Dial(PJSIP/119@trunk)",
        "[staff]\nexten => 119,1,Dial(PJSIP/119@trunk)",
        "staff,119,1",
    ),
    whole(
        "EMERGENCY_BY_PATTERN",
        "[staff]\nexten => _1XX,1," + TRUNK_TOLD,
        f"[staff]\nexten => _1XX,1,{TRUNK_TOLD}\nexten => _11[09],1,{OUTSIDE}",
        "staff,_1XX,1",
    ),
    # what a caller can write
    case("CALLER_DATA_EXECUTED", "System(echo ${CALLERID(num)})", "System(echo ${UNIQUEID})"),
    case(
        "CALLER_DATA_EXECUTED",
        "TrySystem(x ${CALLERID(name)})",
        "TrySystem(x ${FILTER(a-z,${CALLERID(name)})})",
    ),
    case(
        "CALLER_DATA_EXECUTED",
        (TOLD, "MixMonitor(a.wav,,x ${PJSIP_HEADER(read,X-To)})"),
        (TOLD, "MixMonitor(a.wav,,x)"),
        2,
    ),
    case(
        "CALLER_DATA_EXECUTED",
        "System(x ${QUOTE(${CALLERID(name)})})",
        "System(x ${URIENCODE(${CALLERID(name)})})",
    ),
    case(
        "CALLER_DATA_EXECUTED",
        ("Set(GLOBAL(WHO)=${CALLERID(num)})", "Set(ARG1=${WHO})", "System(x ${ARG1})"),
        ("Set(GLOBAL(WHO)=${UNIQUEID})", "Set(ARG1=${WHO})", "System(x ${ARG1})"),
        3,
    ),
    case("CALLER_DATA_EXECUTED", "Monitor(wav,${CALLERID(num)})", "Monitor(wav,a)"),
    case("CALLER_DATA_EXECUTED", "Record(${SIP_HEADER(X)}.wav)", "Record(a.wav)"),
    case("CALLER_DATA_EXECUTED", "AGI(${CALLERID(name)})", "AGI(x.py)"),
    case(
        "CALLER_DATA_EXECUTED",
        ("Read(pin,beep)", "Set(X=${SHELL(find ${pin})})"),
        ("Read(pin,beep)", "Set(X=${SHELL(find ${FILTER(0-9,${pin})})})"),
        2,
    ),
    case("CALLER_DATA_EXECUTED", "Set(X=$[1 + ${EVAL(${CALLERID(num)})}])", "Set(X=${EVAL(1)})"),
    case(
        "CALLER_DATA_EXECUTED", "Set(X=${FILE(/x/${CALLERID(num)},0,1)})", "Set(X=${FILE(/x,0,1)})"
    ),
    case("CALLER_DATA_EXECUTED", "Set(FILE(/x/${CALLERID(num)})=1)", "Set(FILE(/x/y)=1)"),
    case("CALLER_DATA_EXECUTED", "Exec(${CALLERID(name)}(x))", "Exec(NoOp(x))"),
    case(
        "CALLER_DATA_EXECUTED",
        ("Set(__N=${CALLERID(num)})", "Set(ARRAY(A,B)=${N},1)", "System(x ${CUT(B,-,2)})"),
        ("Set(__N=${LEN(${CALLERID(num)})})", "Set(ARRAY(A,B)=${N},1)", "System(x ${CUT(B,-,2)})"),
        3,
    ),
    whole(
        "CALLER_DATA_EXECUTED",
        call("Gosub(log,s,1(x,${CALLERID(num)}))") + "\n[log]\nexten => s,1,System(x ${ARG2})",
        call("Gosub(log,s,1(${CALLERID(num)},x))") + "\n[log]\nexten => s,1,System(x ${ARG2})",
        "log,s,1",
    ),
    whole(
        "CALLER_DATA_EXECUTED",
        "[a]\nexten => _0X.,1,System(x ${EXTEN})",
        "[a]\nexten => _0XX,1,System(x ${EXTEN})",
        "a,_0X.,1",
    ),
    whole(
        "CALLER_DATA_PASSED",
        "[a]\nexten => _0X!,1,Dial(PJSIP/1${EXTEN:1})",
        "[a]\nexten => _0X!,1,Dial(PJSIP/1${FILTER(0-9,${EXTEN:1})})",
        "a,_0X!,1",
    ),
    whole(
        "CALLER_DATA_PASSED",
        f"[a]\nexten => _0X.,1,{TRUNK_NUMBER}",
        f"[a]\nexten => _0XX,1,{TRUNK_NUMBER}",
        "a,_0X.,1",
    ),
    case("CALLER_DATA_PASSED", "AGI(x.py,${CALLERID(num)})", "AGI(x.py,${UNIQUEID})"),
    case("CALLER_DATA_PASSED", "AGI(agi://h/x?n=${CALLERID(num)})", "AGI(agi://h/x)"),
    case("CALLER_DATA_PASSED", "Gosub(compliance-notice,s,1(${CALLERID(num)}))", TOLD),
    # our contract
    case("POLICY_UNKNOWN", "Gosub(compliance-notice,s,1(nobody))", TOLD),
    case("POLICY_UNKNOWN", "Dial(PJSIP/0@t,9,U(compliance-callee^nobody))", TRUNK_TOLD),
    case("ROUTINE_ARGUMENTS", "Gosub(compliance-notice,s,1)", TOLD),
    case("ROUTINE_ARGUMENTS", "Gosub(compliance-notice,s,1(,sales))", TOLD),
    case("ROUTINE_ARGUMENTS", "Gosub(compliance-notice,s,1(inbound,a,internal,b))", TOLD),
    case("ROUTINE_ARGUMENTS", "Gosub(compliance-notice,s,2(inbound))", TOLD),
    case(
        "ROUTINE_ARGUMENTS", "Gosub(compliance-agent,agent,1)", "Gosub(compliance-agent,caller,1)"
    ),
    case(
        "ROUTINE_ARGUMENTS",
        "Gosub(compliance-notice,s,1(inbound,sales,outbound))",
        "Gosub(compliance-notice,s,1(inbound,sales,internal))",
    ),
    case(
        "ROUTINE_ARGUMENTS",
        "Dial(PJSIP/0@t,9,U(compliance-callee^direct^inbound))",
        "Dial(PJSIP/0@t,9,U(compliance-callee^direct^callback))",
    ),
    case("ROUTINE_MISUSED", "Goto(compliance-notice,s,1)", TOLD),
    case("ROUTINE_MISUSED", "Dial(PJSIP/1001,9,U(compliance-notice^inbound))", TELEPHONE),
    case("ROUTINE_MISUSED", "Gosub(compliance-callee,s,1(inbound))", TOLD),
    whole(
        "ROUTINE_MISUSED",
        call("Dial(PJSIP/1001,9,U(mine))") + f"\n[mine]\nexten => s,1,{TOLD}\n same => n,Return()",
        call("Dial(PJSIP/1001,9,U(mine))")
        + "\n[mine]\nexten => s,1,Gosub(compliance-callee,s,1(direct))\n same => n,Return()",
        "mine,s,1",
    ),
    case("ROUTINE_NOT_YOURS", "Gosub(compliance-segment,s,1)", TOLD),
    case("ROUTINE_MISSING", TOLD, TOLD),
    whole("ROUTINE_OLD", "[compliance-notice]\nexten => s,1,Return()", "", "compliance-notice"),
    whole(
        "ROUTINE_OLD",
        "",
        "",
        "compliance-hearing",
        rendered=plan_of(statements("[compliance-hearing]\nexten => s,1,Return()", "x")),
    ),
    whole("FEATURES_MISSING", "", "", "", features={"other": "*3,self,NoOp"}),
    case("VARIABLE_SET", "Set(__COMPLIANCE_STATUS=ALLOWED)", "Set(STATUS=${COMPLIANCE_STATUS})"),
    case("VARIABLE_SET", "Set(ARRAY(a,COMPLIANCE_CHANNEL)=1,2)", "Set(ARRAY(a,b)=1,2)"),
    case("VARIABLE_SET", "MSet(a=1,COMPLIANCE_MMID=2)", "MSet(a=1)"),
    case("VARIABLE_SET", "Set(GLOBAL(COMPLIANCE_NEXT)=end)", "Set(GLOBAL(COMPLIANCE_CDR)=no)"),
    case("VARIABLE_SET", "Read(COMPLIANCE_STATUS,beep)", "Read(digits,beep)"),
    whole("VARIABLE_SET", GLOBAL.format("STATUS", "ALLOWED"), GLOBAL.format("CDR", "no"), ""),
    case(
        "USERFIELD_OVERWRITTEN",
        (TOLD, "Set(CDR(userfield)=x)"),
        ("Set(CDR(userfield)=x)", TOLD),
        2,
    ),
    whole(
        "USERFIELD_OVERWRITTEN",
        call(TOLD, "Queue(a)") + "\nexten => h,1,Set(CDR( userfield )=x)",
        GLOBAL.format("CDR", "no")
        + call(TOLD, "Queue(a)")
        + "\nexten => h,1,Set(CDR(userfield)=x)",
        "from-trunk,h,1",
    ),
    case("NOTICE_BY_HAND", "Stasis(compliance,policy=inbound)", "Stasis(mine,policy=inbound)"),
    case("NOTICE_BY_HAND", "Stasis(told,policy=inbound)", TOLD, application="told"),
    case(
        "AGI_HOLDS",
        "AGI(agi://127.0.0.1/notice?policy=inbound)",
        ("Set(AGIEXITONHANGUP=yes)", "AGI(agi://127.0.0.1/notice?policy=inbound)"),
    ),
    whole(
        "FRAME_LEFT",
        call("Gosub(sub,s,1)") + "\n[sub]\nexten => s,1,Goto(away,s,1)\n"
        "[away]\nexten => s,1,Queue(sales)\n same => n,Hangup()",
        call("Gosub(sub,s,1)") + "\n[sub]\nexten => s,1,Goto(away,s,1)\n"
        "[away]\nexten => s,1,Queue(sales)\n same => n,Return()",
        "sub,s,1",
    ),
    whole(
        "FRAME_LEFT",
        call("Macro(sub)") + "\n[macro-sub]\nexten => s,1,GotoIf(${X}?away,s,1)\n"
        "[away]\nexten => s,1,GotoIf(${Y}?there)\n same => n,Dial(PJSIP/1)\n"
        " same => n(there),NoOp()",
        call("Macro(sub)") + "\n[macro-sub]\nexten => s,1,GotoIf(${X}?away,s,1)\n"
        "[away]\nexten => s,1,Playback(busy)\n same => n,Hangup()",
        "macro-sub,s,1",
    ),
    case("LOCAL_SETS_NOTHING", "Set(LOCAL(number)=${FILTER(0-9,${EXTEN})})", "Set(number=1)"),
    case("LOCAL_SETS_NOTHING", "MSet(a=1,LOCAL(b)=2)", "MSet(a=1,b=2)"),
    case("LOCAL_SETS_NOTHING", "Set(ARRAY(a,LOCAL(b))=1,2)", "Set(ARRAY(a,b)=1,2)"),
    case("LOCAL_SETS_NOTHING", "Read(LOCAL(pin),beep)", "Read(pin,beep)"),
    case("LOCAL_SETS_NOTHING", "ExecIf(${X}?Set(LOCAL(a)=1))", "ExecIf(${X}?Set(a=${LOCAL(b)}))"),
    case("LOCAL_SETS_NOTHING", (TOLD, "Set(LOCAL(a)=1)"), (TOLD, "Set(a=1)"), 2),
    whole(
        "LOCAL_SETS_NOTHING",
        call("Goto(sub,s,1)") + "\n[sub]\nexten => s,1,Set(LOCAL(a)=1)\n same => n,Return()",
        call("Gosub(sub,s,1)") + "\n[sub]\nexten => s,1,Set(LOCAL(a)=1)\n same => n,Return()",
        "sub,s,1",
    ),
    # taken away
    case("RECORDING_STOPPED", (TOLD, "StopMixMonitor()"), ("StopMixMonitor()", TOLD), 2),
    case("RECORDING_STOPPED", (TOLD, "StopMixMonitor"), (TOLD, "StopMixMonitor(${MINE})"), 2),
    case(
        "FEATURES_OVERWRITTEN",
        (TOLD, "Set(__DYNAMIC_FEATURES=mine)"),
        (TOLD, "Set(DYNAMIC_FEATURES=mine#${DYNAMIC_FEATURES})"),
        2,
    ),
    case(
        "HANDLERS_WIPED",
        "Set(CHANNEL(hangup_handler_wipe)=a,s,1)",
        "Set(CHANNEL(hangup_handler_push)=a,s,1)",
    ),
    case("LISTENS_UNSEEN", "ChanSpy(PJSIP/1001,q)", TOLD),
    case("LIMIT_SHORT", ("Set(TIMEOUT(absolute)=5)", TOLD), (TOLD, "Set(TIMEOUT(absolute)=5)")),
    case("LIMIT_SHORT", "Set(TIMEOUT(absolute)=5)", "Set(TIMEOUT(absolute)=0)"),
    case("LIMIT_SHORT", "Set(TIMEOUT(absolute)=5)", "Set(TIMEOUT(absolute)=600)"),
    case("LIMIT_SHORT", "Set(TIMEOUT(absolute)=5)", "Set(TIMEOUT(absolute)=${X})"),
    case("ANSWER_WAITS", ("Answer()", "NoOp()", TOLD), ("Answer(,i)", "NoOp()", TOLD)),
    case("ANSWER_WAITS", ("Answer()", TOLD), ("Answer()", TELEPHONE)),
    case("ANSWER_WAITS", ("Answer()", TOLD), "Answer()"),
    case("ANSWER_WAITS", ("Answer()", TOLD), (TOLD, "Answer()", TOLD)),
    case("EARLY_MEDIA", ("Playback(hello,noanswer)", TOLD), ("Playback(hello)", TOLD)),
    # what was left out, or cannot be seen
    whole("LINE_IGNORED", "[a]\nexten => 1,x,NoOp()", "[a]\nexten => 1,1,NoOp()", ""),
    case("TARGET_MISSING", "Goto(nowhere,s,1)", ("NoOp()", "Goto(1)")),
    case("TARGET_MISSING", "While($[1])", ("While($[1])", "EndWhile()")),
    whole("TARGET_MISSING", "[a]\ninclude => b,9:00-17:00", "[a]\ninclude => b\n[b]", "a"),
    case("NOT_FOLLOWED", "Goto(${X},s,1)", ("NoOp()", "Goto(1)")),
    case("NOT_FOLLOWED", "Goto(${X})", ("NoOp()", "Goto(1)")),
    case("NOT_FOLLOWED", "Goto(0312345678,${X})", ("NoOp()", "Goto(${CONTEXT},0312345678,1)")),
    case("NOT_FOLLOWED", "Dial(Local/${X}@${Y})", "Dial(Local/0312345678@from-trunk)"),
    case("NOT_FOLLOWED", "Dial(${X},30)", TELEPHONE),
    case("NOT_FOLLOWED", "Exec(${X})", "Exec(NoOp())"),
    case("NOT_FOLLOWED", "Stasis(mine)", "NoOp()"),
    case("NOT_FOLLOWED", "AudioSocket(00000000-0000-0000-0000-000000000000,h:1)", "NoOp()"),
    case("NOT_FOLLOWED", "Gosub(compliance-notice,s,1(${X}))", TOLD),
    case("NOT_FOLLOWED", "Queue(${X})", "Queue(a)", recording_queues=frozenset({"sales"})),
    whole("NOT_FOLLOWED", "[a]\nswitch => Realtime/@", "[a]\nexten => 1,1,NoOp()", "a"),
]
