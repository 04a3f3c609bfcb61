"""Downloads a file, checks it against a pinned checksum, and only then puts it in its place.

Usage: fetch.py URL SHA256 TARGET [MEMBER]     MEMBER: the file to take out of a zip archive; made executable
"""

import hashlib
import io
import sys
import urllib.request
import zipfile
from pathlib import Path


def main(url: str, expected: str, target: str, member: str = "") -> None:
    """Fetch `url` to `target`, or exit with what went wrong."""
    print(f"Fetching {url}…", file=sys.stderr)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own https addresses
            content = answer.read()
    except OSError as exc:
        sys.exit(f"error: cannot fetch {url}: {exc}")
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        sys.exit(f"error: {url} has checksum {found}, expected {expected}; nothing was installed")
    place = Path(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(place.name + ".partial")
    partial.write_bytes(zipfile.ZipFile(io.BytesIO(content)).read(member) if member else content)
    partial.chmod(0o755 if member else 0o644)
    partial.replace(place)


if __name__ == "__main__":
    main(*sys.argv[1:])
