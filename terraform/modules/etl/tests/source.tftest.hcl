mock_provider "aws" {
  source = "../../tests/mocks"

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/failed" }
  }

  mock_resource "aws_glue_connection" {
    defaults = { arn = "arn:aws:glue:eu-central-1:123456789012:connection/vectorops-test-source" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      address            = "created.example.internal"
      port               = 3306
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1", secret_status = "active", kms_key_id = "k" }]
    }
  }
}

run "reads_the_given_database_without_knowing_its_password" {
  command = apply

  assert {
    condition = aws_glue_connection.source.connection_properties == tomap({
      JDBC_CONNECTION_URL = "jdbc:mysql://mysql.example.internal:3306/classicmodels"
      JDBC_ENFORCE_SSL    = "true"
      SECRET_ID           = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:reader"
    })
    error_message = "the connection must hold the address and the secret's ARN, demand TLS, and hold nothing else"
  }

  assert {
    condition     = length(aws_db_instance.source) == 0 && length(aws_security_group.source) == 0
    error_message = "no database may be created beside the given one"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.source_from_job.security_group_id == "sg-source" && aws_vpc_security_group_ingress_rule.source_from_job.to_port == 3306
    error_message = "the given database must be opened to the job"
  }
}

run "workers_reach_each_other_the_source_and_aws_and_nothing_else" {
  command = apply

  assert {
    condition     = one(aws_glue_connection.source.physical_connection_requirements).security_group_id_list == toset([aws_security_group.job.id]) && one(aws_glue_connection.source.physical_connection_requirements).subnet_id == "subnet-1"
    error_message = "the workers must sit in a private subnet and wear the job's group"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.job_from_itself.referenced_security_group_id == aws_security_group.job.id && aws_vpc_security_group_ingress_rule.job_from_itself.from_port == 0 && aws_vpc_security_group_ingress_rule.job_from_itself.to_port == 65535
    error_message = "Glue needs the group to admit all TCP ports from itself"
  }

  assert {
    condition = toset(concat(
      [for rule in [aws_vpc_security_group_egress_rule.job_to_itself, aws_vpc_security_group_egress_rule.job_to_endpoints, aws_vpc_security_group_egress_rule.job_to_source] : rule.referenced_security_group_id],
      [aws_vpc_security_group_egress_rule.job_to_s3.prefix_list_id],
    )) == toset([aws_security_group.job.id, "sg-endpoints", "sg-source", "pl-1"])
    error_message = "the workers may reach themselves, the endpoints, the source and S3"
  }
}

run "the_job_may_read_exactly_its_secret_and_its_script" {
  command = apply

  assert {
    condition = { for s in data.aws_iam_policy_document.job.statement : s.sid => s.resources if contains(["ReadSourceCredentials", "ReadScript", "ReplaceTrainingData"], s.sid) } == {
      ReadSourceCredentials = toset(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:reader"])
      ReadScript            = toset(["arn:aws:s3:::scripts/glue/ratings_etl.py"])
      ReplaceTrainingData   = toset(["arn:aws:s3:::lake/ratings_ml_training/*"])
    }
    error_message = "secret, script and training data must be named exactly"
  }

  assert {
    condition     = !contains([for s in data.aws_iam_policy_document.job.statement : s.sid], "DecryptSourceCredentials")
    error_message = "without a key of its own, the secret needs no permission to decrypt"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.job_network["etl"].statement : s.resources if s.sid == "JoinSubnet"]) == toset(["arn:aws:ec2:eu-central-1:123456789012:network-interface/*", "arn:aws:ec2:eu-central-1:123456789012:security-group/${aws_security_group.job.id}", "arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-1"])
    error_message = "the job may join its own subnet under its own group only"
  }
}

run "a_secret_under_its_own_key_can_be_decrypted" {
  command = apply

  variables {
    source_database = {
      host               = "mysql.example.internal"
      port               = 3307
      name               = "classicmodels"
      secret_arn         = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:reader"
      secret_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/own"
      security_group_id  = "sg-source"
    }
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.job.statement : s.resources if s.sid == "DecryptSourceCredentials"]) == toset(["arn:aws:kms:eu-central-1:123456789012:key/own"])
    error_message = "the job must be able to decrypt with exactly that key"
  }

  assert {
    condition     = output.source_database_port == 3307 && aws_vpc_security_group_egress_rule.job_to_source.from_port == 3307
    error_message = "the given port must reach output and rules"
  }
}

run "makes_a_source_to_try_with" {
  command = apply

  variables {
    source_database        = null
    create_source_database = true
  }

  assert {
    condition     = aws_db_instance.source[0].engine == "mysql" && aws_db_instance.source[0].db_name == "classicmodels" && aws_db_instance.source[0].username == "vectorops"
    error_message = "the created source is MySQL with an empty schema classicmodels"
  }

  assert {
    condition     = aws_db_instance.source[0].manage_master_user_password && !aws_db_instance.source[0].publicly_accessible && aws_db_instance.source[0].storage_encrypted
    error_message = "also a throwaway database is private, encrypted, and keeps its own password"
  }

  assert {
    condition     = output.source_database_host == "created.example.internal" && output.source_database_secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1"
    error_message = "outputs must describe the created database"
  }

  assert {
    condition     = aws_glue_connection.source.connection_properties["JDBC_CONNECTION_URL"] == "jdbc:mysql://created.example.internal:3306/classicmodels"
    error_message = "the connection must lead to the created database"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.source_from_job.security_group_id == aws_security_group.source[0].id
    error_message = "the created database must be opened to the job"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.source_from_group) + length(aws_vpc_security_group_ingress_rule.source_from_range) == 0
    error_message = "and to nobody else unless listed"
  }
}

run "the_created_source_admits_who_loads_it" {
  command = apply

  variables {
    source_database        = null
    create_source_database = true
    enforce_source_tls     = false
    created_source         = { allowed_security_groups = { bastion = "sg-bastion" }, allowed_cidr_blocks = ["10.9.0.0/24"] }
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.source_from_group["bastion"].referenced_security_group_id == "sg-bastion" && aws_vpc_security_group_ingress_rule.source_from_range["10.9.0.0/24"].cidr_ipv4 == "10.9.0.0/24"
    error_message = "listed groups and ranges must be admitted"
  }

  assert {
    condition     = aws_glue_connection.source.connection_properties["JDBC_ENFORCE_SSL"] == "false"
    error_message = "TLS must be optional where the source cannot offer it"
  }
}

run "rejects_two_sources" {
  command = plan

  variables {
    create_source_database = true
  }

  expect_failures = [var.source_database]
}

run "rejects_no_source" {
  command = plan

  variables {
    source_database = null
  }

  expect_failures = [var.source_database]
}

run "rejects_a_created_source_open_to_the_whole_internet" {
  command = plan

  variables {
    source_database        = null
    create_source_database = true
    created_source         = { allowed_cidr_blocks = ["0.0.0.0/0"] }
  }

  expect_failures = [var.created_source]
}

run "rejects_a_schema_name_that_would_change_the_connection" {
  command = plan

  variables {
    source_database = {
      host              = "mysql.example.internal"
      name              = "classicmodels?allowLoadLocalInfile=true"
      secret_arn        = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:reader"
      security_group_id = "sg-source"
    }
  }

  expect_failures = [var.source_database]
}
