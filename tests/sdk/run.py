#!/usr/bin/env python3
"""Runs the vendor's own Python SDK against the simulator, and its signer against the operator's.

Relies on Cargo, on Python 3.11 with its venv module, and on PyPI the first time. Promises an environment of exactly
the versions and hashes in requirements.txt, made once for their content and this Python, outside the tree. What can't
be installed or built fails the run; nothing is skipped.

    run.py            make the environment if need be, build the programs, run the tests
    run.py --need     only say whether this Python will do
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
OLDEST_PYTHON = (3, 11)


def main() -> int:
    """Does what the command line says; the exit status is the result."""
    if problem := missing():
        print(f"tests/sdk: {problem}", file=sys.stderr)
        return 1
    if sys.argv[1:] == ["--need"]:
        return 0
    python = environment()
    programs = build_programs()
    return subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "-q", HERE, *sys.argv[1:]],
        env=os.environ | programs | {"PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "127.0.0.1"},
        check=False,
    ).returncode


def missing() -> str | None:
    """What this Python lacks."""
    if sys.version_info < OLDEST_PYTHON:
        return f"this is Python {sys.version.split()[0]}, the vendor's SDK as pinned here needs 3.11"
    try:
        import ensurepip  # noqa: F401  Debian packs it apart
        import venv  # noqa: F401
    except ImportError as error:
        return f"this Python has no module {error.name}"
    return None


def environment() -> Path:
    """Makes the virtual environment, unless it is there, and returns its Python."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache() / "sdk" / key
    folder.mkdir(parents=True, exist_ok=True)
    complete = folder / "complete"
    python = folder / "venv" / "bin" / "python"
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            print(f"Installing the vendor's SDK into {folder}, once: about 15 seconds.", flush=True)
            shutil.rmtree(folder / "venv", ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
            pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
            subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", REQUIREMENTS], check=True)
            complete.touch()
    return python


def cache() -> Path:
    """The folder for what is built once; the Makefile has the same rule."""
    if chosen := os.environ.get("TAURUS_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "taurus-port-operator"


def build_programs() -> dict[str, str]:
    """Builds what the tests run, the simulator and the operator's signer; their paths, as the tests' environment."""
    command = ["cargo", "build", "--locked", "--workspace", "--bins", "--example", "sign"]
    command += ["--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, check=True, text=True)
    artifacts = [json.loads(line) for line in built.stdout.splitlines()]
    built_here = [artifact for artifact in artifacts if artifact.get("executable")]
    programs = {artifact["target"]["name"]: artifact["executable"] for artifact in built_here}
    if absent := {"taurus-sim", "sign"} - programs.keys():
        raise SystemExit(f"tests/sdk: cargo built no {' and no '.join(sorted(absent))}")
    return {"TAURUS_SIM": programs["taurus-sim"], "TAURUS_SIGN": programs["sign"]}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"tests/sdk: {' '.join(map(str, error.cmd))} failed with status {error.returncode}")
