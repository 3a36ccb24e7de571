"""The command line: `triskel --help`. Thin: each command reads its options and calls the library."""

import logging
import os
import signal
import sys
import threading
from importlib import metadata
from typing import Annotated

import typer

from triskel.commands import boards, calibrate, data, demo, detect, doctor, evaluate, export, rigs, sessions, train
from triskel.commands.show import ERR, WarningLines, say
from triskel.errors import TriskelError

app = typer.Typer(
    name="triskel",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Multi-view 3D human reconstruction: synchronized cameras in, 3D skeletons out. Start with 'triskel demo'.",
)
app.add_typer(data.sample, name="sample")
app.add_typer(data.weights, name="weights")
app.add_typer(boards.app, name="board")
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(rigs.app, name="rig")
app.add_typer(sessions.session_app, name="session")
for command in (
    demo.demo,
    doctor.doctor,
    doctor.bench,
    detect.detect,
    sessions.triangulate,
    sessions.process,
    export.export,
    sessions.view,
    train.train,
    evaluate.evaluate,
):
    app.command()(command)

_INTERRUPTED, _STOPPED = 130, "stopped; what was complete is on disk"


def _version(wanted: bool) -> None:
    if wanted:
        say(f"triskel {metadata.version('triskel')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that come before the command."""


def main() -> None:
    """Run the command line: status 0, 1 if the job failed, 2 for bad usage or input; errors are one line on stderr."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what it cannot read is said in one line of ours
    _prepare()
    try:
        status = app(standalone_mode=False)
    except TriskelError as error:
        if "--debug" in sys.argv:
            raise
        _fail(str(error), error.exit_status)
    except typer.Abort:
        _fail("stopped", 1)
    except KeyboardInterrupt:
        _fail(_STOPPED, _INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, MemoryError) as error:
        if "--debug" in sys.argv:
            raise
        _fail(_of_the_machine(error), 1)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        # Usage errors come from the parser's own class tree, which typer does not export under one name.
        if hasattr(error, "format_message"):
            _fail(f"{error.format_message()} (see 'triskel --help')", 2)
        _fail(f"unexpected {type(error).__name__}: {error} (a bug: please report it with the output of --debug)", 1)
    else:
        if status == _INTERRUPTED:  # typer catches the interrupt itself
            _fail(_STOPPED, status)
        sys.exit(status if isinstance(status, int) else 0)


def _prepare() -> None:
    """Let warnings go where the command line shows them, and a stop from outside take away what is half written."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    logger = logging.getLogger("triskel")
    logger.addHandler(WarningLines())
    logger.propagate = False


def _of_the_machine(error: OSError | MemoryError) -> str:
    """Return what a user is told of an error that no part of triskel has expected, and that is no bug either."""
    if isinstance(error, MemoryError):
        return "out of memory; give it less at a time, or use a machine with more"
    return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}"


def _fail(message: str, status: int) -> None:
    ERR.print(f"triskel: {' '.join(message.split())}", markup=False)
    sys.exit(status)


if __name__ == "__main__":
    main()
