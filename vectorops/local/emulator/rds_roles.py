"""Roles of DB instances, such as the one for imports from S3; the library has no such actions."""

from typing import Any

from ministack.services import iam, rds

from vectorops.local.emulator.sts import statements_for

_SERVICE = "rds.amazonaws.com"

Params = dict[str, Any]


def add_role(p: Params) -> Any:
    """AddRoleToDBInstance: attach a role that exists and trusts RDS."""
    instance = rds._resolve_instance(rds._p(p, "DBInstanceIdentifier"))
    arn, feature = rds._p(p, "RoleArn"), rds._p(p, "FeatureName")
    if instance is None:
        return _not_found(p)
    role = iam._roles.get(arn.rsplit("/", 1)[-1])
    if not role or not statements_for(role["AssumeRolePolicyDocument"], _SERVICE)["Statement"]:
        return rds._error("InvalidParameterValue", f"{_SERVICE} may not assume role {arn}.", 400)
    if any(one["FeatureName"] == feature for one in instance["AssociatedRoles"]):
        return rds._error("DBInstanceRoleAlreadyExists", f"Feature {feature} has a role already.", 400)
    instance["AssociatedRoles"].append({"RoleArn": arn, "FeatureName": feature, "Status": "ACTIVE"})
    return rds._xml(200, "AddRoleToDBInstanceResponse", "")


def remove_role(p: Params) -> Any:
    """RemoveRoleFromDBInstance."""
    instance = rds._resolve_instance(rds._p(p, "DBInstanceIdentifier"))
    arn, feature = rds._p(p, "RoleArn"), rds._p(p, "FeatureName")
    if instance is None:
        return _not_found(p)
    kept = [
        one for one in instance["AssociatedRoles"] if (one["RoleArn"], one["FeatureName"]) != (arn, feature)
    ]
    if len(kept) == len(instance["AssociatedRoles"]):
        return rds._error("DBInstanceRoleNotFound", f"Role {arn} is not attached for {feature}.", 404)
    instance["AssociatedRoles"] = kept
    return rds._xml(200, "RemoveRoleFromDBInstanceResponse", "")


def _not_found(p: Params) -> Any:
    return rds._error("DBInstanceNotFound", f"DBInstance {rds._p(p, 'DBInstanceIdentifier')} not found.", 404)
