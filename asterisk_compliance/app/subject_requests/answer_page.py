"""The page of an answer, for the person who asked: in Japanese or English, complete in itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined

from asterisk_compliance.domain.access.purpose_limitation import SOURCES, Action, UseReason
from asterisk_compliance.domain.recording.assurance_words import Recorded
from asterisk_compliance.domain.third_parties.provisions import SOURCES as PROVISION_SOURCES
from asterisk_compliance.domain.third_parties.provisions import ProvidedItem, ProvisionGround

_PAGE = Path(__file__).with_name("answer_page.html")

SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Your recorded calls",
        "request": "Number of your request:",
        "made": "Made on",
        "own": "The recordings here hold your own voice. What others said on the call is theirs,"
        " and is left out.",
        "both": "The recordings here hold your voice on the left and all others on the right."
        " Please mind that what others said is theirs.",
        "call": "Call of",
        "number": "Number of the call",
        "ended": "Ended",
        "recording": "Recording",
        "not_recorded": "This call was not recorded.",
        Recorded.EMPTY: "Nothing came of it: there is nothing to be heard.",
        Recorded.OPEN: "It is not finished yet, and not in here: please ask again.",
        Recorded.MISSING: "It was begun, and is not there.",
        "not_here": "It is kept, but could not be opened for you.",
        "kept_until": "Kept until",
        "undated": "no date is set",
        "gone": "Erased on",
        "notices": "What you were told before it was recorded",
        "no_notice": "No notice was heard to its end.",
        "purposes": "What the recording may be used for",
        "uses": "Who has had the recording",
        "at": "When",
        "role": "Role",
        "staff": "staff",
        "purpose": "Purpose",
        "action": "What for",
        "nobody": "Nobody.",
        "nothing": "Nothing.",
        "corrections": "What was put beside the call on request",
        "erased": "(erased)",
        "unknown": "not known",
        "also": "answer.json says the same for programs; receipt.txt is for you to keep.",
        "provisions": "To whom something of this call was handed over",
        "day": "Day",
        "recipient": "To whom",
        "country": "Country",
        "items": "What",
        "ground": "On which ground",
        "to_nobody": "To nobody, as far as our records say.",
        Action.LISTEN: "heard it",
        Action.EXPORT: "took a copy for our own work",
        Action.EVIDENCE: "took it as evidence",
        Action.TRANSCRIBE: "made it into text",
        Action.ANSWER: "took a copy for your answer",
        Action.HEAR: "lent it to you by telephone",
        Action.HAND_OVER: "handed it to somebody else",
        Action.DRILL: "tried a key; nobody heard it",
        UseReason.COMPLAINT: "a complaint",
        UseReason.CLARIFICATION: "to look up what was said",
        UseReason.REVIEW: "a regular look at calls",
        UseReason.COACHING: "training",
        UseReason.CLAIM: "a legal dispute",
        UseReason.INVESTIGATION: "an investigation",
        UseReason.INSPECTION: "an audit",
        UseReason.ORDER: "an order of a court or an authority",
        UseReason.REQUEST: "a person's request",
        UseReason.PROVISION: "provision to a third party",
        UseReason.ANALYSIS: "analysis together with others",
        UseReason.TECHNICAL: "to examine the sound",
        UseReason.OWN_TEST: "a test of our own",
    },
    "ja": {
        "title": "通話録音の開示",
        "request": "ご請求の番号:",
        "made": "作成日時",
        "own": "この録音には、ご本人の音声だけが入っています。相手の音声は含めていません。",
        "both": "この録音は、左がご本人、右が相手の音声です。"
        "相手の発言の取扱いには、ご配慮をお願いします。",
        "call": "通話日時",
        "number": "通話の番号",
        "ended": "終了",
        "recording": "録音",
        "not_recorded": "この通話は録音していません。",
        Recorded.EMPTY: "録音された音声はありません。",
        Recorded.OPEN: "処理が終わっていないため、ここには入っていません。"
        "あらためてお問い合わせください。",
        Recorded.MISSING: "録音を始めましたが、録音は残っていません。",
        "not_here": "保有していますが、お渡しできる形で開けませんでした。",
        "kept_until": "保存期限",
        "undated": "定めがありません",
        "gone": "消去した日時",
        "notices": "録音の前にお伝えした内容",
        "no_notice": "最後まで再生された告知はありません。",
        "purposes": "録音の利用目的",
        "uses": "録音を利用した者",
        "at": "日時",
        "role": "役割",
        "staff": "担当者",
        "purpose": "利用目的",
        "action": "内容",
        "nobody": "ありません。",
        "nothing": "ありません。",
        "corrections": "ご請求により通話に添えた内容",
        "erased": "(消去済み)",
        "unknown": "不明",
        "also": "answer.json は同じ内容の機械可読形式です。receipt.txt は保管用です。",
        "provisions": "第三者提供の記録",
        "day": "提供日",
        "recipient": "提供先",
        "country": "国",
        "items": "提供した項目",
        "ground": "根拠",
        "to_nobody": "記録上、第三者への提供はありません。",
        Action.LISTEN: "聴取",
        Action.EXPORT: "社内業務のための写し",
        Action.EVIDENCE: "証拠としての取出し",
        Action.TRANSCRIBE: "文字起こし",
        Action.ANSWER: "ご本人への開示のための写し",
        Action.HEAR: "ご本人が電話で聞くための貸出し",
        Action.HAND_OVER: "第三者への提供",
        Action.DRILL: "鍵の確認(聴取なし)",
        UseReason.COMPLAINT: "苦情への対応",
        UseReason.CLARIFICATION: "お話の内容の確認",
        UseReason.REVIEW: "定期的な点検",
        UseReason.COACHING: "指導・研修",
        UseReason.CLAIM: "法的な争い",
        UseReason.INVESTIGATION: "調査",
        UseReason.INSPECTION: "監査・検査",
        UseReason.ORDER: "裁判所・官公署の命令",
        UseReason.REQUEST: "ご本人のご請求",
        UseReason.PROVISION: "第三者提供",
        UseReason.ANALYSIS: "まとめての分析",
        UseReason.TECHNICAL: "音声の技術的な確認",
        UseReason.OWN_TEST: "当社の試験",
    },
}

ITEMS: Mapping[str, Mapping[ProvidedItem, str]] = {
    "en": {
        ProvidedItem.RECORDING: "the recording",
        ProvidedItem.CALL_DATA: "when the call was, and how long",
        ProvidedItem.NUMBER: "your number",
        ProvidedItem.NAME: "your name",
        ProvidedItem.NOTICE: "what you were told",
        ProvidedItem.CONSENT: "what you agreed to",
        ProvidedItem.TRANSCRIPT: "what was said, as text",
    },
    "ja": {
        ProvidedItem.RECORDING: "録音",
        ProvidedItem.CALL_DATA: "通話の日時・長さ",
        ProvidedItem.NUMBER: "電話番号",
        ProvidedItem.NAME: "お名前",
        ProvidedItem.NOTICE: "お伝えした内容",
        ProvidedItem.CONSENT: "同意の内容",
        ProvidedItem.TRANSCRIPT: "通話内容の文字起こし",
    },
}
GROUNDS: Mapping[str, Mapping[ProvisionGround, str]] = {
    "en": {
        ProvisionGround.CONSENT: "you agreed",
        ProvisionGround.LAW: "a law demands it",
        ProvisionGround.LIFE: "to protect life, body or property",
        ProvisionGround.PUBLIC_HEALTH: "public health",
        ProvisionGround.PUBLIC_DUTY: "to help a public body with its duties",
        ProvisionGround.ACADEMIC: "academic research",
        ProvisionGround.ENTRUSTMENT: "work that is done for us",
        ProvisionGround.SUCCESSION: "the business was taken over",
        ProvisionGround.JOINT_USE: "joint use",
    },
    "ja": {
        ProvisionGround.CONSENT: "ご本人の同意",
        ProvisionGround.LAW: "法令に基づく場合",
        ProvisionGround.LIFE: "人の生命、身体又は財産の保護",
        ProvisionGround.PUBLIC_HEALTH: "公衆衛生の向上等",
        ProvisionGround.PUBLIC_DUTY: "国の機関等の事務への協力",
        ProvisionGround.ACADEMIC: "学術研究",
        ProvisionGround.ENTRUSTMENT: "取扱いの委託",
        ProvisionGround.SUCCESSION: "事業の承継",
        ProvisionGround.JOINT_USE: "共同利用",
    },
}


def page(facts: Mapping[str, Any], language: str, zone: ZoneInfo) -> bytes:
    """The page, UTF-8. Whatever stands in it is escaped.

    Args:
        facts: What ``answer.json`` says.
        language: ``ja`` or ``en``.
        zone: Whose days and hours.
    """

    def when(at: str) -> str:
        moment = datetime.fromisoformat(at).astimezone(zone)
        return moment.isoformat(" ", "seconds")

    environment = Environment(autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    environment.filters["when"] = when
    environment.filters["item"] = lambda code: ITEMS[language][ProvidedItem(code)]
    environment.filters["ground"] = lambda code: (
        f"{GROUNDS[language][ProvisionGround(code)]} ({PROVISION_SOURCES[ProvisionGround(code)]})"
    )
    text = environment.from_string(_PAGE.read_text("utf-8"))
    said = SAID[language]
    return text.render(facts=facts, language=language, said=said, sources=SOURCES).encode()
