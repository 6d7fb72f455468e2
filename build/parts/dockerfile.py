"""What the Dockerfile says of the image that it ends with: user, command, port and labels.

The image of a release is made without an engine, and so reads here what an engine would. Promises to fail at an instruction
that it doesn't know, so that none is lost.
"""

import json
import re
import shlex
from pathlib import Path


def instructions(path: Path) -> list[tuple[str, str]]:
    """Those of the last stage, with what follows each."""
    _, image = path.read_text().rsplit("\nFROM scratch\n", 1)
    lines = re.sub(r"\\\n", " ", image).splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def filled(text: str, arguments: dict[str, str]) -> str:
    """A text with its `$ARGUMENT` and `${ARGUMENT:-default}`."""

    def value(match: re.Match) -> str:
        return arguments.get(match[1] or match[3]) or match[2] or ""

    return re.sub(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))", value, text)


def configuration(path: Path, arguments: dict[str, str]) -> dict:
    """The field `config` of the image, in the words of OCI."""
    config: dict = {}
    for name, rest in instructions(path):
        match name:
            case "ARG" | "COPY":
                pass  # What is copied is what build/image-root lays out.
            case "USER":
                config["User"] = rest
            case "EXPOSE":
                config["ExposedPorts"] = {f"{rest}/tcp": {}}
            case "ENTRYPOINT":
                config["Entrypoint"] = json.loads(rest)
            case "CMD":
                config["Cmd"] = json.loads(rest)
            case "LABEL":
                pairs = (word.partition("=") for word in shlex.split(rest))
                config["Labels"] = {key: filled(text, arguments) for key, _, text in pairs}
            case _:
                raise SystemExit(f"build/parts/dockerfile.py: nothing here knows what {name} means for a release")
    return config
