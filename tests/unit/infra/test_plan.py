from typing import Any

from vectorops.infra.plan import read_plan


def entry(address: str, actions: list[str], **change: Any) -> dict[str, Any]:
    return {
        "address": address,
        "mode": "managed",
        "type": address.split(".")[0],
        "change": {"actions": actions, "before": {}, "after": {}, **change},
    }


def test_what_is_lost_comes_first() -> None:
    plan = read_plan(
        {
            "resource_changes": [
                entry("aws_s3_bucket.new", ["create"]),
                entry("aws_iam_role.old", ["delete"]),
                entry("aws_vpc.this", ["delete", "create"], replace_paths=[["cidr_block"]]),
            ]
        }
    )
    assert [change.action for change in plan.changes] == ["replace", "delete", "create"]
    assert plan.changes[0].because == ("cidr_block",)
    assert plan.counts() == {"replace": 1, "delete": 1, "create": 1}


def test_an_update_names_the_attributes_that_change() -> None:
    change = entry(
        "aws_db_instance.this",
        ["update"],
        before={"allocated_storage": 20, "engine": "postgres", "address": "old"},
        after={"allocated_storage": 40, "engine": "postgres"},
        after_unknown={"address": True},
    )
    assert read_plan({"resource_changes": [change]}).changes[0].because == ("address", "allocated_storage")


def test_a_nested_attribute_that_stays_known_is_no_reason_for_an_update() -> None:
    nested = {"architectures": ["arm64"], "vpc_config": [{"subnet_ids": ["a"]}], "last_modified": "old"}
    change = entry(
        "aws_lambda_function.this",
        ["update"],
        before=nested,
        after={"architectures": ["arm64"], "vpc_config": [{"subnet_ids": ["a"]}]},
        after_unknown={
            "architectures": [False],
            "vpc_config": [{"subnet_ids": [False]}],
            "last_modified": True,
        },
    )
    assert read_plan({"resource_changes": [change]}).changes[0].because == ("last_modified",)


def test_reading_and_doing_nothing_are_no_changes() -> None:
    data = {**entry("aws_region.this", ["read"]), "mode": "data"}
    plan = read_plan({"resource_changes": [data, entry("aws_vpc.this", ["no-op"])]})
    assert plan.is_empty


def test_a_changed_output_alone_is_a_change() -> None:
    plan = read_plan(
        {"output_changes": {"region": {"actions": ["update"]}, "vpc_id": {"actions": ["no-op"]}}}
    )
    assert not plan.is_empty
    assert plan.changed_outputs == ("region",)


def test_losing_a_database_is_told_apart_from_losing_anything_else() -> None:
    lost = entry("aws_db_instance.this", ["create", "delete"], before={"identifier": "vectorops-prod"})
    plan = read_plan({"resource_changes": [lost, entry("aws_vpc.this", ["delete"])]})
    assert [(change.identifier, change.loses_database) for change in plan.changes] == [
        ("vectorops-prod", True),
        ("", False),
    ]
