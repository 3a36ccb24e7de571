"""Save a source archive through pip's own index settings, without running the package.

`triskel.fetch` starts this file as a program, with the interpreter whose pip is to be used; it imports nothing of
triskel.

`pip download` of a source archive runs its setup code to learn its metadata. This asks pip's finder for the archive's
address and pip's session for its bytes, so mirrors, proxies and certificates are the user's, and nothing is run.
"""

import logging
import shutil
import sys
from pathlib import Path

PIP_CHANGED = 3
NOT_FOUND = 4
"""Exit statuses beside 0 and 1: this pip's insides differ from those known; no such source archive was offered."""


def save_sdist(package: str, version: str, target: Path, options: list[str]) -> int:
    """Write the source archive of one release to `target`.

    Does not check the archive: the caller knows its hash. The pip in use is that of the running interpreter; its
    insides are not a public interface (they worked in 23.2, 24.3, 25.3 and 26.3).

    Args:
        package: its name in the index.
        version: the exact release.
        target: where to write.
        options: further options of `pip download`.

    Returns:
        0, `PIP_CHANGED` or `NOT_FOUND`.

    Raises:
        Exception: whatever pip raises for a refused connection or an HTTP error.
    """
    try:
        from pip._internal.commands import create_command
        from pip._internal.commands.download import DownloadCommand
        from pip._internal.network.utils import raise_for_status

        command = create_command("download")
        assert isinstance(command, DownloadCommand)
        parsed, _ = command.parse_args([*options, f"{package}=={version}"])
        with command.main_context():
            session = command.get_default_session(parsed)
            finder = command._build_package_finder(parsed, session)
            found = finder.find_all_candidates(package)
            links = [one.link for one in found if str(one.version) == version and not one.link.is_wheel]
            if not links:
                return NOT_FOUND
            # Without the header, some servers unpack what they take for a compressed transfer.
            headers = {"Accept-Encoding": "identity"}
            with session.get(links[0].url_without_fragment, headers=headers, stream=True) as response:
                raise_for_status(response)
                with target.open("wb") as file:
                    shutil.copyfileobj(response.raw, file)
    except (ImportError, AttributeError, TypeError, AssertionError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return PIP_CHANGED
    return 0


def main(arguments: list[str]) -> int:
    """Run `save_sdist` with PACKAGE VERSION TARGET OPTION..., failures as one line on stderr."""
    package, version, target, *options = arguments
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        return save_sdist(package, version, Path(target), options)
    except Exception as error:  # noqa: BLE001, RUF100 - whatever pip raises becomes the parent's one line
        sys.stderr.write(f"ERROR: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
