"""The certificate authorities that sign the certificates of RDS and Aurora servers, and of RDS Proxy."""

import ssl
import tempfile
import urllib.request
from pathlib import Path

from vectorops.errors import AwsError

# RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance": the bundle for all AWS regions.
BUNDLE_URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
BUNDLE_NAME = "rds-authorities.pem"


def rds_ca_bundle(folder: Path, *, url: str = BUNDLE_URL, trusted: ssl.SSLContext | None = None) -> Path:
    """Return the file with the authorities of RDS in `folder`, downloaded there the first time.

    With them are Amazon's public ones, which sign the certificates of RDS Proxy (AWS Knowledge Center,
    "rds-aurora-mysql-connect-proxy").

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
        file.write(f"{content.rstrip()}\n{_public_authorities()}")
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


def _public_authorities() -> str:
    """Return the roots of Amazon Trust Services, from the list of public authorities that botocore brings."""
    from botocore.httpsession import get_cert_path

    public = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    public.load_verify_locations(cafile=get_cert_path(True))
    found = zip(public.get_ca_certs(), public.get_ca_certs(binary_form=True), strict=True)
    return "".join(
        ssl.DER_cert_to_PEM_cert(certificate)
        for description, certificate in found
        if (("organizationName", "Amazon"),) in description["subject"]
    )
