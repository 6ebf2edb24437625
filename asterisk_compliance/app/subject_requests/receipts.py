"""What a person is given to keep: what he asked for, how it was decided, and what was done.

It is made of the log and of no personal value, so that it can be made again when everything that
identified him was erased. Then nobody can be found by his number; the id on this page is how he,
and whoever he shows it to, can still ask whether there was a recording, and when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256

from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.recording.assurance_words import Recorded, recorded
from asterisk_compliance.domain.subject_requests.codes import (
    SOURCES,
    RequestReason,
    RequestRefusal,
    RequestVerdict,
    Right,
)
from asterisk_compliance.domain.subject_requests.requests import RequestState, SubjectRequest
from asterisk_compliance.ids import CallId
from asterisk_compliance.storage.log.reader import StoreReader

LANGUAGES = ("ja", "en")

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Your request about recordings of calls",
        "from": "From",
        "id": "Number of the request",
        "received": "Received",
        "asked": "You asked",
        "fee": "Fee",
        "decided": "Decided",
        "because": "Because",
        "calls": "Calls that this is about",
        "none": "none that we know",
        "unsaid": "not said, because nobody showed that it is he",
        "recorded": "recorded",
        "not_recorded": "not recorded",
        "kept": "the recording is kept",
        "gone": "the recording was erased on",
        "open": "a recording is not finished yet: please ask again",
        "missing": "a recording was begun, and is not there",
        "held": "kept, because it is needed for legal proceedings",
        "left_out": "left out of the answer",
        "stopped": "is not used any longer",
        "complain": "If you do not agree, tell us. You can also complain to the supervisory"
        " authority, or go to court.",
        "keep": "Keep this page. What we erase cannot be found by your name or number any more,"
        " but with the number of the request you can ask us, or a supervisory authority, at any"
        " time whether there was a recording, and when.",
        Right.HEAR: "to hear the recording",
        Right.COPY: "for a copy of the recording",
        Right.CORRECT: "for a correction",
        Right.STOP_USE: "to stop the use of the recording",
        Right.ERASE: "to erase the recording",
        Right.PROVISIONS: "to whom the recording was handed over",
        RequestVerdict.GRANTED: "granted",
        RequestVerdict.IN_PART: "granted in part",
        RequestVerdict.REFUSED: "refused",
        "undecided": "not yet",
        RequestState.WITHDRAWN: "withdrawn",
        RequestReason.LAW: "the law says so",
        RequestReason.CODE: "our published rules say so",
        RequestReason.GOODWILL: "we want to",
        RequestReason.NOT_IDENTIFIED: "nobody showed that he is the person",
        RequestReason.NOT_AUTHORISED: "the agent showed no authority",
        RequestReason.NOT_KEPT: "nothing is kept that it could be about",
        RequestReason.ON_HOLD: "it is needed for legal proceedings",
    },
    "ja": {
        "title": "通話録音に関するご請求の記録",
        "from": "事業者",
        "id": "ご請求の番号",
        "received": "受付日",
        "asked": "ご請求の内容",
        "fee": "手数料",
        "decided": "決定",
        "because": "理由",
        "calls": "対象の通話",
        "none": "該当する通話は見つかりませんでした",
        "unsaid": "ご本人の確認ができないため、お答えできません",
        "recorded": "録音あり",
        "not_recorded": "録音なし",
        "kept": "録音を保有しています",
        "gone": "録音を消去した日時",
        "open": "録音の処理が終わっていません。あらためてお問い合わせください",
        "missing": "録音を始めましたが、録音は残っていません",
        "held": "法的手続のために必要なため、保有を続けています",
        "left_out": "今回の回答の対象外",
        "stopped": "利用を停止しました",
        "complain": "ご不服のある場合は、当社にお申し出ください。監督機関への申出や、"
        "裁判所への訴えの提起もできます。",
        "keep": "この書面を保管してください。消去した後は、お名前や電話番号からは検索できません。"
        "ご請求の番号をお示しいただければ、録音の有無と日時をいつでもお答えします。",
        Right.HEAR: "録音を聞くこと",
        Right.COPY: "録音の写しの交付(開示)",
        Right.CORRECT: "訂正・追加",
        Right.STOP_USE: "利用の停止",
        Right.ERASE: "消去",
        Right.PROVISIONS: "第三者提供の記録の開示",
        RequestVerdict.GRANTED: "応じます",
        RequestVerdict.IN_PART: "一部に応じます",
        RequestVerdict.REFUSED: "応じられません",
        "undecided": "未決定",
        RequestState.WITHDRAWN: "取下げ",
        RequestReason.LAW: "法令の定めによる",
        RequestReason.CODE: "業界の指針または当社の公表した定めによる",
        RequestReason.GOODWILL: "当社の判断による",
        RequestReason.NOT_IDENTIFIED: "ご本人の確認ができないため",
        RequestReason.NOT_AUTHORISED: "代理権の確認ができないため",
        RequestReason.NOT_KEPT: "該当する情報を保有していないため",
        RequestReason.ON_HOLD: "法的手続のために必要なため",
    },
}


def receipt(reader: StoreReader, request: SubjectRequest, settings: Settings, language: str) -> str:
    """The page, as plain text.

    Args:
        reader: Of the store.
        request: As it is now.
        settings: Whose company it is, and whose days.
        language: One of :data:`LANGUAGES`.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    said = _TEXTS[language]
    who = settings.controller
    lines = [
        said["title"],
        "",
        f"{said['from']}: {who.name} ({who.contact})",
        f"{said['id']}: {request.request}",
        f"{said['received']}: {_at(request.received_ms, settings)[:10]}",
        f"{said['asked']}: {said[request.right]}",
        *([f"{said['fee']}: {request.fee}"] if request.fee else []),
        f"{said['decided']}: {_decision(request, said)}",
        *([f"{said['because']}: {_why(request, said)}"] if request.verdict else []),
        "",
        f"{said['calls']}:",
        *_calls(reader, request, settings, said),
        "",
        *([said["complain"], ""] if _can_complain(request) else []),
        said["keep"],
    ]
    return "\n".join(lines) + "\n"


def receipt_digest(text: str) -> str:
    """How a row names a receipt: the SHA-256 of its bytes, in hex."""
    return sha256(text.encode()).hexdigest()


def _can_complain(request: SubjectRequest) -> bool:
    """APPI Articles 36 and 40; GDPR Article 12(4): who gets less than he asked for is told so."""
    less = request.verdict in {RequestVerdict.REFUSED, RequestVerdict.IN_PART}
    return less and request.regime != Regime.OWN


def _decision(request: SubjectRequest, said: Mapping[str, str]) -> str:
    if request.state is RequestState.WITHDRAWN:
        return said[RequestState.WITHDRAWN]
    return said[request.verdict] if request.verdict else said["undecided"]


def _why(request: SubjectRequest, said: Mapping[str, str]) -> str:
    source = SOURCES[RequestRefusal(request.ground)] if request.ground else ""
    return f"{said[request.reason]} ({source})" if source else said[request.reason]


def _calls(
    reader: StoreReader, request: SubjectRequest, settings: Settings, said: Mapping[str, str]
) -> Iterator[str]:
    """A line for each; nothing of them, where nobody showed that he is the person."""
    if not request.how:
        yield f"  {said['unsaid']}"
    elif not request.calls:
        yield f"  {said['none']}"
    else:
        for call in sorted(request.calls):
            yield f"  {call}  {', '.join(_call(reader, request, call, settings, said))}"


def _call(
    reader: StoreReader,
    request: SubjectRequest,
    call: CallId,
    settings: Settings,
    said: Mapping[str, str],
) -> Iterator[str]:
    yield _at(minted_ms(call), settings)
    found = reader.recordings(call)
    became = [recorded(str(one["level"])) for one in found]
    if Recorded.KEPT in became or Recorded.GONE in became:
        yield said["recorded"]
    elif Recorded.OPEN not in became and Recorded.MISSING not in became:
        yield said["not_recorded"]
    if Recorded.KEPT in became:
        refused_so = request.reason == RequestReason.ON_HOLD and call not in request.granted
        yield said["held"] if refused_so or call in request.kept else said["kept"]
    gone = {str(one["level_at"]) for one, what in zip(found, became, strict=True)
            if what is Recorded.GONE}  # fmt: skip
    for level_at in sorted(gone):
        yield f"{said['gone']} {_at(milliseconds(level_at), settings)}"
    for what in (Recorded.OPEN, Recorded.MISSING):
        if what in became:
            yield said[what]
    if call in request.excepted:
        yield said["left_out"]
    elif request.right is Right.STOP_USE and call in request.granted:
        yield said["stopped"]


def _at(ms: int, settings: Settings) -> str:
    when = datetime.fromtimestamp(ms / 1_000, settings.rules.time_zone)
    return when.isoformat(" ", "seconds")
