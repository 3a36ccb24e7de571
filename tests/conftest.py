"""What several rooms' tests share."""

import sys

import pytest

from triskel import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """Return the function that runs the command line with arguments: exit status, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["triskel", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return call
