import pytest

from vectorops.database.inspection import extension_update, pgvector_faults


@pytest.mark.parametrize(
    ("version", "faults"),
    [
        ("0.4.4", []),
        ("0.5.1", ["VACUUM"]),
        ("0.6.0", ["CVE-2026-3172", "VACUUM"]),
        ("0.8.1", ["CVE-2026-3172", "VACUUM"]),
        ("0.8.2", ["VACUUM"]),
        ("0.8.3", ["VACUUM"]),
        ("0.8.4", []),
        ("0.8.5", []),
        ("0.10.0", []),
    ],
)
def test_a_version_has_the_faults_that_were_known_before_it_was_mended(
    version: str, faults: list[str]
) -> None:
    found = pgvector_faults(version)
    assert [fault.split(":")[0].split(" ")[0] for fault in found] == faults


@pytest.mark.parametrize(
    ("installed", "available", "update"),
    [
        ("0.8.1", "0.8.5", "0.8.5"),
        ("0.8.9", "0.8.10", "0.8.10"),
        ("0.8.5", "0.8.5", None),
        ("0.8.6", "0.8.5", None),
        (None, "0.8.5", None),
        ("0.8.5", None, None),
    ],
)
def test_an_update_of_the_extension_is_told_when_the_server_has_a_newer_one(
    installed: str | None, available: str | None, update: str | None
) -> None:
    assert extension_update(installed, available) == update
