"""THIRD-PARTY-NOTICES.md: the parts of others, and their licences, as their own packages say.

    third_party_notices.py            write the page
    third_party_notices.py --check    write nothing; exit 1 where the page is not right
    third_party_notices.py --texts    print the page with the text of every licence, for whoever
                                      ships the parts themselves: in an image, in an appliance

Needs the package's dependencies, installed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "THIRD-PARTY-NOTICES.md"
VOICES: Final = ROOT / "sounds/LICENSES.md"
LICENCE_FILE: Final = re.compile(r"(?i)licen[cs]e|notice|copying|authors")

HEAD: Final = """\
# Notices of third parties

Written by `scripts/third_party_notices.py`; do not edit. asterisk-compliance itself is Apache-2.0
([LICENSE](LICENSE)).

## What it needs to run

No part of these is in our package: pip installs them, each with its licence's text. Some bring
libraries of others inside, and name them in their own files. Whoever ships them together, in an
image or an appliance, ships their texts too: `scripts/third_party_notices.py --texts` prints all.

| part | licence, as its package says | needed by |
|---|---|---|
"""
INSIDE: Final = """
## What of others is in our package

| file | what | licence |
|---|---|---|
| `asterisk_compliance/data/dpv-2.3.txt` | names of the terms of the Data Privacy Vocabulary 2.3, https://w3id.org/dpv, sorted. Copyright © 2026 World Wide Web Consortium | [W3C Software and Document License](https://www.w3.org/copyright/software-license-2023/) |
| `tests/vectors/vcon-core-03.schema.json`, in the source alone | JSON schema of draft-ietf-vcon-vcon-core-03. Copyright © 2026 IETF Trust and the persons identified as the document authors | [Revised BSD License](https://trustee.ietf.org/license-info) |
| `asterisk_compliance/sounds` | the prompts: our own words, spoken by these voices | Apache-2.0 |

"""  # noqa: E501 - lines of a table


def parts() -> dict[str, set[str]]:
    """Every part that an installation brings, with those that need it; ours are the first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found: dict[str, set[str]] = {}
    ahead = [(name, str(project["name"])) for name in project["dependencies"]]
    while ahead:
        text, needed_by = ahead.pop()
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(wanted.name)
        if name not in found:
            found[name] = set()
            ahead += [(one, name) for one in distribution(name).requires or ()]
        found[name].add(needed_by)
    return dict(sorted(found.items()))


def texts(part: Distribution) -> list[str]:
    """The licences and notices that a part brings."""
    files = (one for one in part.files or () if LICENCE_FILE.search(one.name))
    return [one.read_text("utf-8") for one in files if ".dist-info" in one.parts[0]]


def licence(part: Distribution) -> str:
    """In the words of its metadata, or the first line of its licence."""
    said = part.metadata.get("License-Expression") or part.metadata.get("License") or ""
    if said and len(said.splitlines()) == 1:
        return said
    classified = [
        one.rpartition(" :: ")[2]
        for one in part.metadata.get_all("Classifier") or ()
        if one.startswith("License ::")
    ]
    return ", ".join(classified) or texts(part)[0].strip().splitlines()[0]


def page() -> str:
    lines = [
        f"| {name} | {licence(distribution(name))} | {', '.join(sorted(by))} |"
        for name, by in parts().items()
    ]
    _, _, voices = VOICES.read_text("utf-8").partition("\n")
    return HEAD + "\n".join(lines) + "\n" + INSIDE + "## The voices\n" + _demoted(voices)


def _demoted(text: str) -> str:
    """Its headings one level lower, for a page of their own."""
    return re.sub(r"(?m)^(?=##)", "#", text)


def named(text: str) -> set[str]:
    """The parts that a page names as needed to run."""
    needed = text.partition("## What of others")[0]
    return set(re.findall(r"(?m)^\| ([a-z0-9-]+) \| (?!licence)", needed))


def check() -> list[str]:
    """What is wrong with the page, in sentences."""
    text = PAGE.read_text("utf-8")
    there, wanted = named(text), set(parts())
    return [
        *(f"{name} is needed, and not in {PAGE.name}" for name in sorted(wanted - there)),
        *(f"{name} is in {PAGE.name}, and not needed" for name in sorted(there - wanted)),
        *(
            []
            if _demoted(VOICES.read_text("utf-8").partition("\n")[2]) in text
            else [f"{VOICES.name} has changed"]
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Write THIRD-PARTY-NOTICES.md.")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--check", action="store_true", help="write nothing")
    one.add_argument("--texts", action="store_true", help="print it with every licence's text")
    asked = parser.parse_args()
    if asked.check:
        for problem in (problems := check()):
            print(f"error: {problem}", file=sys.stderr)
        return int(bool(problems))
    if asked.texts:
        print(page())
        for name in parts():
            print(f"\n## {name}\n", *texts(distribution(name)), sep="\n")
        return 0
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
