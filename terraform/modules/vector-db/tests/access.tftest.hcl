mock_provider "aws" {
  source = "../../tests/mocks"

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/vectorops-test-vector-db-s3-import" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1", secret_status = "active", kms_key_id = "k" }]
    }
  }
}

run "admits_only_its_client_group_by_default" {
  command = apply

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.from_group : rule.referenced_security_group_id] == [output.database_client_security_group_id]
    error_message = "the client group, and no other, must be admitted"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.from_range) == 0
    error_message = "no address range may be admitted unless listed"
  }
}

run "follows_the_port_the_engine_chose" {
  command = apply

  assert {
    condition     = aws_vpc_security_group_ingress_rule.from_group["client"].from_port == 5432 && output.database_port == 5432
    error_message = "without a port of ours, rules and output must follow the instance"
  }
}

run "admits_what_is_listed_on_the_database_port_only" {
  command = apply

  variables {
    port                    = 6543
    allowed_security_groups = { bastion = "sg-bastion" }
    allowed_cidr_blocks     = ["10.9.0.0/24"]
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.from_group["bastion"].referenced_security_group_id == "sg-bastion"
    error_message = "a listed group must be admitted"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.from_range["10.9.0.0/24"].cidr_ipv4 == "10.9.0.0/24"
    error_message = "a listed range must be admitted"
  }

  assert {
    condition = alltrue([
      for rule in concat(values(aws_vpc_security_group_ingress_rule.from_group), values(aws_vpc_security_group_ingress_rule.from_range), [aws_vpc_security_group_egress_rule.client_to_database]) :
      rule.from_port == 6543 && rule.to_port == 6543 && rule.ip_protocol == "tcp"
    ])
    error_message = "rules must name the instance's own port and nothing else"
  }
}

run "the_database_itself_reaches_s3_only" {
  command = apply

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.database_to_s3.security_group_id == aws_security_group.database.id
      && aws_vpc_security_group_egress_rule.database_to_s3.prefix_list_id == "pl-1"
      && aws_vpc_security_group_egress_rule.database_to_s3.cidr_ipv4 == null
      && aws_vpc_security_group_egress_rule.database_to_s3.to_port == 443
    )
    error_message = "the database may open HTTPS connections to S3 and nothing else"
  }
}

run "imports_read_exactly_the_artefact_prefix" {
  command = apply

  assert {
    condition = { for s in data.aws_iam_policy_document.s3_import.statement : s.sid => { actions = s.actions, resources = s.resources } } == {
      ReadImportPrefix = { actions = toset(["s3:GetObject"]), resources = toset(["arn:aws:s3:::artifacts/embeddings/*"]) }
      ListImportPrefix = { actions = toset(["s3:ListBucket"]), resources = toset(["arn:aws:s3:::artifacts"]) }
    }
    error_message = "the import role may read and list embeddings/ of the artefact bucket, and nothing else"
  }

  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.s3_import.statement : s.condition if s.sid == "ListImportPrefix"])).values == tolist(["embeddings/*"])
    error_message = "listing must stop at the import prefix"
  }

  assert {
    condition     = aws_db_instance_role_association.s3_import.feature_name == "s3Import" && aws_db_instance_role_association.s3_import.role_arn == output.s3_import_role_arn
    error_message = "the role must be attached to the instance, or every import fails"
  }
}

run "only_this_database_may_use_the_import_role" {
  command = apply

  assert {
    condition = { for c in data.aws_iam_policy_document.s3_import_trust.statement[0].condition : c.variable => c.values } == {
      "aws:SourceAccount" = tolist(["123456789012"])
      "aws:SourceArn"     = tolist(["arn:aws:rds:eu-central-1:123456789012:db:vectorops-test-vector-db"])
    }
    error_message = "the trust must name this account and this instance"
  }
}

run "rejects_the_whole_internet" {
  command = plan

  variables {
    allowed_cidr_blocks = ["10.9.0.0/24", "0.0.0.0/0"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "rejects_the_whole_internet_in_two_halves" {
  command = plan

  variables {
    allowed_cidr_blocks = ["0.0.0.0/1", "128.0.0.0/1"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "rejects_the_whole_internet_of_ipv6" {
  command = plan

  variables {
    allowed_cidr_blocks = ["::/0"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "rejects_what_is_no_range" {
  command = plan

  variables {
    allowed_cidr_blocks = ["office"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "rejects_a_second_group_called_client" {
  command = plan

  variables {
    allowed_security_groups = { client = "sg-other" }
  }

  expect_failures = [var.allowed_security_groups]
}

run "rejects_importing_from_the_whole_bucket" {
  command = plan

  variables {
    import_prefix = ""
  }

  expect_failures = [var.import_prefix]
}

run "rejects_wildcards_in_the_import_prefix" {
  command = plan

  variables {
    import_prefix = "*/"
  }

  expect_failures = [var.import_prefix]
}
