"""What can't be installed fails the run; nothing is skipped."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_a_run_fails_where_the_vendors_client_cannot_be_installed(tmp_path):
    """A run with an empty cache and a package index that has nothing."""
    nowhere = {"TAURUS_CACHE": str(tmp_path), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1"}

    run = subprocess.run(
        [sys.executable, HERE / "run.py"], env=os.environ | nowhere, capture_output=True, text=True, check=False
    )

    assert run.returncode == 1, run.stdout
    assert "install" in run.stderr
    assert "passed" not in run.stdout


def test_a_test_that_is_skipped_counts_as_failed(tmp_path):
    """A test that skips itself, run under the rules of this folder."""
    (tmp_path / "test_lazy.py").write_text("import pytest\n\ndef test_lazy():\n    pytest.skip('no network')\n")
    (tmp_path / "conftest.py").write_text((HERE / "conftest.py").read_text())

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1, run.stdout
    assert "1 failed" in run.stdout
    assert "nothing here may be" in run.stdout
