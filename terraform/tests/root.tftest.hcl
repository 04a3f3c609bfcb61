mock_provider "aws" {
  source = "./tests/mocks"

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::vectorops-test-bucket" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      address            = "database.example.internal"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1", secret_status = "active", kms_key_id = "k" }]
    }
  }
}

run "outputs_name_the_buckets_by_purpose" {
  command = apply

  assert {
    condition = [output.data_lake_bucket, output.ml_artifacts_bucket, output.scripts_bucket, output.recommendations_bucket] == [
      for purpose in ["data-lake", "ml-artifacts", "scripts", "recommendations"] : "vectorops-test-${purpose}-123456789012"
    ]
    error_message = "each output must name its own bucket"
  }
}

run "what_an_environment_leaves_out_takes_the_default_of_the_module" {
  command = apply

  assert {
    condition     = output.database_instance_class == "db.t4g.medium" && length(output.private_subnet_ids) == 2
    error_message = "an empty environment must get the modules' defaults"
  }
}

run "what_an_environment_sets_reaches_the_module" {
  command = apply

  variables {
    network  = { availability_zone_count = 3, interface_endpoints = ["secretsmanager"] }
    database = { instance_class = "db.r7g.large", port = 6543 }
  }

  assert {
    condition     = output.database_instance_class == "db.r7g.large" && output.database_port == 6543 && length(output.private_subnet_ids) == 3
    error_message = "the settings of an environment must reach the modules"
  }
}

run "everything_a_client_needs_to_connect_is_an_output" {
  command = apply

  assert {
    condition     = output.database_identifier == "vectorops-test-vector-db" && output.database_name == "vectorops" && output.database_secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1"
    error_message = "identifier, database name and secret must be the instance's"
  }

  assert {
    condition     = output.database_security_group_id != output.database_client_security_group_id
    error_message = "the database's own group and its clients' group are two"
  }
}

run "what_starts_the_etl_job_and_reads_its_result_is_an_output" {
  command = apply

  assert {
    condition     = output.glue_job_name == "vectorops-test-ratings-etl" && output.glue_connection_name == "vectorops-test-source"
    error_message = "job and connection must be the module's"
  }

  assert {
    condition     = output.catalog_database == "vectorops_test" && output.catalog_table == "ratings_ml_training"
    error_message = "database and table of the catalog must be the module's"
  }

  assert {
    condition     = output.source_database_host == "database.example.internal" && output.source_database_name == "classicmodels"
    error_message = "the source must be described"
  }
}

run "an_existing_source_is_taken_as_it_is" {
  command = apply

  variables {
    create_source_database = false
    source_database = {
      host              = "mysql.example.internal"
      name              = "shop"
      secret_arn        = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:reader"
      security_group_id = "sg-source"
    }
  }

  assert {
    condition     = output.source_database_host == "mysql.example.internal" && output.source_database_port == 3306 && output.source_database_name == "shop"
    error_message = "host, name and MySQL's usual port must reach the job"
  }

  assert {
    condition     = output.source_database_secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:reader"
    error_message = "the given secret must reach the job"
  }
}

run "what_sends_events_and_reads_recommendations_is_an_output" {
  command = apply

  assert {
    condition     = output.stream_name == "vectorops-test-activity" && output.delivery_stream_name == "vectorops-test-recommendations" && output.transform_function_name == "vectorops-test-transform"
    error_message = "stream, delivery stream and transform must be the module's"
  }

  assert {
    condition     = output.recommendations_prefix == "recommendations/" && output.errors_prefix == "errors/" && output.recommendations_table == "recommendations" && output.athena_workgroup == "vectorops-test-recommendations"
    error_message = "prefixes, table and workgroup must be the module's"
  }

  assert {
    condition     = output.inference_function_name == "vectorops-test-inference" && output.inference_url == "https://inference.lambda-url.eu-central-1.on.aws/"
    error_message = "function and URL of the API must be the module's"
  }
}

run "rejects_a_network_in_which_the_functions_would_hang" {
  command = plan

  variables {
    network = { interface_endpoints = ["logs"] }
  }

  expect_failures = [var.network]
}

run "the_local_target_has_no_endpoints" {
  command = plan

  variables {
    local_target = true
    network      = {}
  }

  assert {
    condition     = length(module.network.private_subnet_ids) == 2
    error_message = "on the local target every function reaches every API"
  }
}

run "rejects_names_that_would_break_other_names" {
  command = plan

  variables {
    environment = "Production_EU"
    project     = "averylongprojectnameindeed"
    region      = "frankfurt"
  }

  expect_failures = [
    var.environment,
    var.project,
    var.region,
  ]
}
