"""The certificate authorities that sign the certificates of RDS and Aurora servers."""

import ssl
import tempfile
import urllib.request
from pathlib import Path

from vectorops.errors import AwsError

# RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance": the bundle for all AWS regions.
BUNDLE_URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
BUNDLE_NAME = "rds-global-bundle.pem"


def rds_ca_bundle(folder: Path, *, url: str = BUNDLE_URL, trusted: ssl.SSLContext | None = None) -> Path:
    """Return the file with the authorities of RDS in `folder`, downloaded there the first time.

    Args:
        folder: Where the file is kept; created when missing. Delete the file to have it fetched anew.
        url: Where it comes from; must be https.
        trusted: What the download itself is verified with. Default: the authorities of this machine.

    Raises:
        AwsError: It cannot be downloaded, or what came is not a list of certificates.
    """
    path = folder / BUNDLE_NAME
    if path.is_file():
        return path
    content = _download(url, trusted or ssl.create_default_context(), path)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, encoding="ascii", delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)
    return path


def _download(url: str, trusted: ssl.SSLContext, path: Path) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30, context=trusted) as response:  # noqa: S310 - https
            content: str = response.read().decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content)
    except (OSError, ValueError) as exc:  # a URLError, a timeout and an SSLError are OSErrors
        raise AwsError(
            f"cannot fetch the certificate authorities of RDS from {url}",
            why=str(exc),
            hint=f"without them the database cannot be verified; download the file by other means to {path}",
        ) from exc
    return content
