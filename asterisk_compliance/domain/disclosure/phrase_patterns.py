"""What the words of a prompt say, as far as expressions can tell: Japanese and English.

Texts are folded first (NFKC: width and compatibility forms do not count; letters to lower
case), so every expression here is written in folded form. None of them can backtrack far:
a wording comes from a configuration and may be of any length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

_SENTENCE_END = re.compile(r"[。!?\n]+|\.(?=\s|$)")
PLACEHOLDER = re.compile(
    r"\{[^{}\n]{0,40}\}|[{}]|\[[^\[\]\n]{0,40}\]|<[^<>\n]{0,40}>|%[sd](?![a-z])"
    r"|[○◯●△×]{2,}|(?<![一二三四五六七八九〇])〇〇|(?<![a-z])(?:x{2,}|todo|tbd)(?![a-z])"
)
"""What a template leaves where a name, a number or a period should stand."""


@dataclass(frozen=True, slots=True)
class Expressions:
    """How one language says what a notice has to say, or must not.

    Attributes:
        recording: The word for recording.
        decline: That a party may say no, and means to.
        silence: What happens if no key is pressed.
        pressing: The word for pressing a key.
        key: One key as a sentence with the word for pressing names it; one of its groups is
            the word.
        keys: From the words for a key to the key.
        forced: Consent that is taken, not asked for; fair only beside a way to say no.
        threat: What a party loses who says no.
        superlative: A promise that nobody can verify.
        listeners: Who listens.
        period: How long a recording is kept.
        by_us: Who records, if only as "we".
        page: Where something is published.
    """

    recording: re.Pattern[str]
    decline: re.Pattern[str]
    silence: re.Pattern[str]
    pressing: re.Pattern[str]
    key: re.Pattern[str]
    keys: Mapping[str, str]
    forced: re.Pattern[str]
    threat: re.Pattern[str]
    superlative: re.Pattern[str]
    listeners: re.Pattern[str]
    period: re.Pattern[str]
    by_us: re.Pattern[str]
    page: re.Pattern[str]


def _keys(*words: str) -> dict[str, str]:
    """One text per key, 0 to 9, star, hash: the words for it."""
    keys = zip("0123456789*#", words, strict=True)
    return {word: key for key, spoken in keys for word in spoken.split()}


_DIGITS = _keys(*"0123456789*#")
_KANJI = _keys(*"〇一二三四五六七八九", "米印", "井桁")
_HIRAGANA = _keys(
    "ぜろ れい",
    "いち",
    "に",
    "さん",
    "よん",
    "ご",
    "ろく",
    "なな",
    "はち",
    "きゅう",
    "こめじるし",
    "いげた",
)
_KATAKANA = _keys(
    "ゼロ",
    "イチ",
    "ニ",
    "サン",
    "ヨン",
    "ゴ",
    "ロク",
    "ナナ",
    "ハチ",
    "キュウ キュー",
    "アスタリスク スター",
    "シャープ",
)
_ENGLISH = _keys(
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "star asterisk",
    "hash pound",
)


def _any(words: Mapping[str, str]) -> str:
    return "|".join(map(re.escape, words))


EXPRESSIONS: Mapping[str, Expressions] = {
    "ja": Expressions(
        recording=re.compile(r"録音|ろくおん"),
        decline=re.compile(
            r"望ま(?:ない|れない|ず)|望みでな|希望(?:し|され|なさら|に(?:なら|な)|で)な|いいえ"
            r"|(?:同意|承諾|了承)(?:し|され|いただけ|頂け)な|拒否|お断りに|断る|不要|困る|困られ"
            r"|録音(?:しない|せずに|なし|無し|を(?:やめ|止め))"
        ),
        silence=re.compile(r"(?:押さ|押され|選ば|選ばれ)(?:ない|なけれ|ず)|(?:操作|入力)がな"),
        pressing=re.compile(r"押|プッシュ|ダイヤル|ボタン"),
        key=re.compile(
            # A digit that is no part of a number; a word only where it is what is pressed.
            r"(?<![0-9.\-])([0-9*#])(?![0-9\-]|\.[0-9]|[時分秒日月年週か人件回度つ][間月]?(?![0-9]))"
            rf"|(?<![一-龠〇])({_any(_KANJI)})(?=番?[をか、は])"
            rf"|(?<![ぁ-ん])({_any(_HIRAGANA)})(?=番?[をか、は])|(に)(?=番?を)"
            rf"|(?<![ァ-ヶー])({_any(_KATAKANA)})(?=番?[をか、は])"
        ),
        keys={**_DIGITS, **_KANJI, **_HIRAGANA, **_KATAKANA},
        forced=re.compile(
            r"(?:了承|了解|承知(?:おき)?|容赦)(?:くだ|下さ|願|の(?:ほど|程|上|うえ))"
        ),
        threat=re.compile(
            r"電話を?お?切り|お切り(?:くだ|下さ|いただ|願)|(?:と|もの)みなし|とみなさ"
            r"|(?:利用|受け|承る|対応|案内|提供)(?:でき(?:ませ|かね|ない)|(?:いただけ|頂け)(?:ませ|ない))"
            r"|承れ(?:ませ|ない)|いたしかね|遠慮(?:くだ|下さ|願)|法的|通報|責任を負い|終話|切断"
        ),
        superlative=re.compile(
            r"最高|最も|最善|最上|世界一|日本一|業界(?:一|随一|no|最)|(?<![a-z])no\.?\s?1(?![0-9])"
            r"|ナンバーワン|完璧|完全|絶対|万全|一切|100(?:%|パーセント)"
        ),
        listeners=re.compile(r"[聞聴](?:く|け|きま)|聴取|きくのは"),
        period=re.compile(
            r"消去|削除|廃棄|破棄|保存|保管|[0-9一二三四五六七八九十百](?:日|週|か月|ヶ月|カ月|年)"
        ),
        by_us=re.compile(
            r"[当弊](?:社|店|行|院|館|校|所|方|組合|窓口|センター)|(?:私|わたくし|わたし)(?:ども|共|たち)"
        ),
        page=re.compile(r"ウェブ|サイト|ホームページ|(?<![a-z])(?:web|www)"),
    ),
    "en": Expressions(
        recording=re.compile(r"\brecord(?:ed|ing|ings)?\b|\brecords (?:this|the|all|your|every)\b"),
        decline=re.compile(
            r"\b(?:not|don't) (?:wish|want|agree|consent|like)\b|\brather not\b|\bprefer not\b"
            r"|\bdecline\b|\brefuse\b|\bopt[ -]out\b|\bobject\b|\bsay no\b|\bfor no\b"
            r"|\bwithout (?:a |any |being )?record|\bstop (?:the )?recording\b"
        ),
        silence=re.compile(
            r"\bpress(?:ing)? nothing\b|\b(?:not|don't) (?:press|choose|answer)\b"
            r"|\bno (?:key|answer|choice)\b|\bsay nothing\b"
        ),
        pressing=re.compile(r"\b(?:press|dial|enter|push|hit|key in)\b"),
        key=re.compile(
            # A digit that is no part of a number; a word only where it is what is pressed.
            r"(?<![\w.\-])([0-9*#])(?![\w%\-]|\.[0-9]|\s(?:day|week|month|year|hour|minute|second))"
            r"|\b(?:press|dial|enter|push|hit|or)\s(?:the\s)?(?:key\s|number\s)?"
            rf"({_any(_ENGLISH)})\b(?!\s(?:of|more|time|way)\b)"
            rf"|\b({_any(_ENGLISH)})(?=\s(?:for|to|if)\b)"
        ),
        keys={**_DIGITS, **_ENGLISH},
        forced=re.compile(
            r"\bby (?:continuing|staying|remaining|holding)\b|\bplease accept\b"
            r"|\byou (?:hereby )?(?:consent|agree|accept)\b"
        ),
        threat=re.compile(
            r"\bhang(?:ing)? up\b|\bdisconnect|\b(?:end|terminate|drop) (?:this|the|your) call\b"
            r"|\blegal action\b|\bdeemed\b|\byou must (?:accept|agree|consent)\b"
            r"|\b(?:cannot|can't|unable to|not be able to|will not|won't) "
            r"(?:help|serve|assist|continue|proceed|take your call)\b"
        ),
        superlative=re.compile(
            r"\bbest[ -](?:possible|service|quality|care|support|in (?:class|the))\b|\bsafest\b"
            r"|\bworld[ -]class\b|\bnumber one\b|\bno\. ?1\b|\bperfect(?:ly)?\b|\babsolute(?:ly)?\b"
            r"|\bguarantee|\bcompletely\b|\b(?:fully|totally) secure\b|\b100 ?(?:%|per ?cent)"
            r"|\bun(?:rivall?ed|matched)\b|\b(?:industry|market|world)[ -]leading\b"
        ),
        listeners=re.compile(r"\blisten\b|\b(?:can|will|may|could) hear\b|\bheard by\b"),
        period=re.compile(
            r"\b(?:delet|eras|destroy|retain)|\b(?:store|stored|kept)\b"
            r"|\bkeep (?:it|the|this|record)|\b(?:days?|weeks?|months?|years?)\b"
        ),
        by_us=re.compile(r"\b(?:we|us|our)\b"),
        page=re.compile(r"\bweb[ -]?(?:site|page)|\bhome ?page\b|\bwww\b"),
    ),
}


def fold(text: str) -> str:
    """``text`` as the expressions expect it."""
    return (
        unicodedata.normalize("NFKC", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )


def sentences(folded: str) -> tuple[str, ...]:
    """The sentences of a folded text, in order, without their ends."""
    return tuple(part for part in _SENTENCE_END.split(folded) if part.strip())


def keys_spoken(folded: str, said: Expressions) -> frozenset[str]:
    """The keys (``0``-``9``, ``*``, ``#``) that sentences about pressing a key name."""
    return frozenset(
        said.keys[found[found.lastindex or 0]]
        for sentence in sentences(folded)
        if said.pressing.search(sentence)
        for found in said.key.finditer(sentence)
    )
