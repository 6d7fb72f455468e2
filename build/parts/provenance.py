"""Writes the provenance of a release: an in-toto statement (v1) with the predicate SLSA provenance v1, about each of its files.

    provenance.py FOLDER --subject NAME=sha256:… --parameter NAME=VALUE … --tool NAME=VERSION … --source URI --commit C
                  --input NAME=FILE … --builder URI

Relies on a folder that has all files but the statement, `SHA256SUMS` and signatures. Promises no time and nothing of the machine but
the versions of what built: the same source and tools make the same statement. It is not signed by itself.
"""

import argparse
import hashlib
import json
from pathlib import Path

NAME = "provenance.json"


def pair(text: str) -> tuple[str, str]:
    """A name and what it stands for."""
    name, _, value = text.partition("=")
    return name, value


def described(name: str, path: Path) -> dict:
    """A file by its digest."""
    return {"name": name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}


def main() -> None:
    """Writes it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name in ("--source", "--commit", "--builder"):
        parser.add_argument(name, required=True)
    for name in ("--subject", "--parameter", "--tool", "--input"):
        parser.add_argument(name, type=pair, action="append", default=[])
    asked = parser.parse_args()
    files = sorted(path for path in asked.folder.iterdir() if path.name != NAME)
    subjects = [described(path.name, path) for path in files]
    subjects += [{"name": name, "digest": dict([digest.split(":")])} for name, digest in asked.subject]
    source = {"uri": asked.source, "digest": {"gitCommit": asked.commit}}
    predicate = {
        "buildDefinition": {
            "buildType": f"{asked.source}#build/release",
            "externalParameters": dict(asked.parameter),
            "internalParameters": {"tools": dict(asked.tool)},
            "resolvedDependencies": [source, *(described(name, Path(path)) for name, path in asked.input)],
        },
        "runDetails": {"builder": {"id": asked.builder}},
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate,
    }
    (asked.folder / NAME).write_text(json.dumps(statement, indent=2, sort_keys=True) + "\n")


main()
