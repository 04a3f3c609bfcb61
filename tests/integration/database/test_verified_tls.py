import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.database.tls import Authority, https_server, make_authority, tls_in_front_of_postgres
from vectorops.database.authorities import BUNDLE_NAME, rds_ca_bundle
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.errors import AwsError, DatabaseError

SERVER = "vectors.abc.us-east-1.rds.amazonaws.com"


@pytest.fixture
def rds(tmp_path: Path) -> Authority:
    """The authority that the database's certificate is signed by."""
    return make_authority(tmp_path / "rds", "RDS root", SERVER)


@pytest.fixture
def web(tmp_path: Path) -> Authority:
    """The authority that the web server with the bundle is signed by."""
    return make_authority(tmp_path / "web", "Web root", "localhost")


@pytest.fixture
def tunnelled(database_address: DatabaseAddress, rds: Authority) -> Iterator[DatabaseAddress]:
    """The test's database through a port of this machine, with TLS and the certificate of RDS."""
    with tls_in_front_of_postgres(database_address.port, rds.server_context()) as port:
        yield replace(
            database_address,
            host=SERVER,
            hostaddr="127.0.0.1",
            port=port,
            sslmode="verify-full",
            sslrootcert=str(rds.certificate),
        )


def test_the_certificate_is_checked_against_the_servers_name_through_a_tunnel(
    tunnelled: DatabaseAddress,
) -> None:
    with connect(tunnelled) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_another_servers_certificate_is_refused(tunnelled: DatabaseAddress) -> None:
    with pytest.raises(DatabaseError, match=rf'"{SERVER}" does not match host name "other.example.com"'):
        connect(replace(tunnelled, host="other.example.com"))


def test_a_certificate_of_an_unknown_authority_is_refused(tunnelled: DatabaseAddress, web: Authority) -> None:
    with pytest.raises(DatabaseError, match="certificate verify failed"):
        connect(replace(tunnelled, sslrootcert=str(web.certificate)))


def test_the_authorities_are_downloaded_once(tmp_path: Path, rds: Authority, web: Authority) -> None:
    trusted = ssl.create_default_context(cafile=str(web.certificate))
    with https_server(rds.certificate.parent, web.server_context()) as (url, asked):
        first = rds_ca_bundle(tmp_path / "tools" / "ca", url=f"{url}/ca.pem", trusted=trusted)
        second = rds_ca_bundle(tmp_path / "tools" / "ca", url=f"{url}/ca.pem", trusted=trusted)
    assert asked == ["/ca.pem"]
    assert first == second == tmp_path / "tools" / "ca" / BUNDLE_NAME
    assert first.read_bytes().startswith(rds.certificate.read_bytes())
    assert list(first.parent.iterdir()) == [first]


def test_the_authorities_of_rds_proxy_are_added_to_those_of_rds(
    tmp_path: Path, rds: Authority, web: Authority
) -> None:
    trusted = ssl.create_default_context(cafile=str(web.certificate))
    with https_server(rds.certificate.parent, web.server_context()) as (url, _):
        bundle = rds_ca_bundle(tmp_path / "ca", url=f"{url}/ca.pem", trusted=trusted)
    both = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    both.load_verify_locations(cafile=str(bundle))
    subjects = [str(one["subject"]) for one in both.get_ca_certs()]
    for name in ("RDS root", "Amazon Root CA 1", "Amazon Root CA 4"):
        assert [name in subject for subject in subjects].count(True) == 1
    assert len(subjects) == 5


def test_authorities_from_an_unverified_server_are_not_taken(
    tmp_path: Path, rds: Authority, web: Authority
) -> None:
    with (
        https_server(rds.certificate.parent, web.server_context()) as (url, asked),
        pytest.raises(AwsError, match="certificate verify failed"),
    ):
        rds_ca_bundle(tmp_path / "ca", url=f"{url}/ca.pem")
    assert asked == []
    assert not (tmp_path / "ca").exists()


@pytest.mark.parametrize("content", ["", "<html>log in to this network first</html>", "é"])
def test_what_is_no_list_of_certificates_is_not_kept(tmp_path: Path, web: Authority, content: str) -> None:
    (tmp_path / "answer.pem").write_text(content)
    trusted = ssl.create_default_context(cafile=str(web.certificate))
    with (
        https_server(tmp_path, web.server_context()) as (url, _),
        pytest.raises(AwsError, match="cannot fetch the certificate authorities of RDS"),
    ):
        rds_ca_bundle(tmp_path / "ca", url=f"{url}/answer.pem", trusted=trusted)
    assert not (tmp_path / "ca").exists()


def test_without_a_network_the_error_says_where_to_put_the_file(tmp_path: Path) -> None:
    with pytest.raises(AwsError) as caught:
        rds_ca_bundle(tmp_path, url="https://127.0.0.1:9/global-bundle.pem")
    assert str(tmp_path / BUNDLE_NAME) in caught.value.hint
