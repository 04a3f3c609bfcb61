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

run "the_password_is_rds_business" {
  command = apply

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS must make and keep the master password; Terraform must not know it"
  }

  assert {
    condition     = output.database_secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1"
    error_message = "the output must be the secret's ARN"
  }

  assert {
    condition     = aws_db_instance.this.iam_database_authentication_enabled
    error_message = "functions sign in with their role, so IAM authentication must be on"
  }
}

run "private_encrypted_and_backed_up_by_default" {
  command = plan

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted
    error_message = "the database must be private and encrypted"
  }

  assert {
    condition     = aws_db_instance.this.backup_retention_period == 7 && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot
    error_message = "a database nobody configured must be backed up, protected, and leave a snapshot"
  }

  assert {
    condition     = aws_db_instance.this.final_snapshot_identifier == "vectorops-test-vector-db-final"
    error_message = "the final snapshot needs a name, or the destroy fails"
  }

  assert {
    condition     = aws_db_instance.this.storage_type == "gp3" && aws_db_instance.this.max_allocated_storage == 200
    error_message = "storage must be gp3 and grow by itself"
  }

  assert {
    condition     = aws_db_instance.this.performance_insights_enabled
    error_message = "Performance Insights must be on"
  }
}

run "names_the_database_and_its_owner" {
  command = plan

  assert {
    condition     = aws_db_instance.this.db_name == "vectorops" && aws_db_instance.this.username == "vectorops_admin"
    error_message = "database and master user are called vectorops"
  }
}

run "a_throwaway_database_leaves_nothing_behind" {
  command = plan

  variables {
    deletion_protection = false
    skip_final_snapshot = true
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == null
    error_message = "the switches for throwaway databases must reach the instance"
  }
}

run "parameters_force_tls_and_give_index_builds_memory" {
  command = plan

  assert {
    condition = { for p in aws_db_parameter_group.this.parameter : p.name => "${p.value} ${p.apply_method}" } == {
      "rds.force_ssl"                    = "1 pending-reboot"
      "shared_preload_libraries"         = "pg_stat_statements pending-reboot"
      "maintenance_work_mem"             = "{DBInstanceClassMemory*25/102400} immediate"
      "max_parallel_maintenance_workers" = "GREATEST({DBInstanceVCPU/2},2) immediate"
      "random_page_cost"                 = "1.1 immediate"
    }
    error_message = "the parameter group must force TLS, load pg_stat_statements, and size index builds by the instance class"
  }

  assert {
    condition     = aws_db_instance.this.parameter_group_name == aws_db_parameter_group.this.name
    error_message = "the instance must use the module's parameter group"
  }
}

run "version_17_takes_its_own_parameter_family" {
  command = plan

  variables {
    engine_version             = "17.10"
    index_build_memory_percent = 40
  }

  assert {
    condition     = aws_db_parameter_group.this.family == "postgres17" && aws_db_parameter_group.this.name == "vectorops-test-vector-db-postgres17"
    error_message = "family and name of the parameter group must follow the major version"
  }

  assert {
    condition     = one([for p in aws_db_parameter_group.this.parameter : p.value if p.name == "maintenance_work_mem"]) == "{DBInstanceClassMemory*40/102400}"
    error_message = "the share of memory for index builds must reach the parameter"
  }
}

run "leaves_the_port_to_the_engine" {
  command = plan

  variables {
    port = 6543
  }

  assert {
    condition     = aws_db_instance.this.port == 6543
    error_message = "a port that is asked for must reach the instance"
  }
}

run "rejects_a_database_that_loses_data_or_starves" {
  command = plan

  variables {
    engine_version             = "16.14"
    backup_retention_days      = 0
    allocated_storage_gib      = 200
    max_allocated_storage_gib  = 200
    index_build_memory_percent = 80
  }

  expect_failures = [
    var.engine_version,
    var.backup_retention_days,
    var.max_allocated_storage_gib,
    var.index_build_memory_percent,
  ]
}

run "rejects_a_version_that_only_starts_like_one" {
  command = plan

  variables {
    engine_version = "180"
  }

  expect_failures = [var.engine_version]
}

run "rejects_what_rds_would_refuse" {
  command = plan

  variables {
    allocated_storage_gib               = 10
    subnet_ids                          = ["subnet-1"]
    port                                = 22
    performance_insights_retention_days = 30
    instance_class                      = "t3.micro"
  }

  expect_failures = [
    var.allocated_storage_gib,
    var.subnet_ids,
    var.port,
    var.performance_insights_retention_days,
    var.instance_class,
  ]
}
