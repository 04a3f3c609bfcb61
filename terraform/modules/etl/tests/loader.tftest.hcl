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

run "reads_given_prefixes_and_nothing_else_and_writes_results_only" {
  command = apply

  assert {
    condition = { for s in data.aws_iam_policy_document.loader.statement : s.sid => s.resources if contains(["ReadScriptAndPackage", "ReadSources", "KeepResults", "ReadDatabaseCredentials"], s.sid) } == {
      ReadScriptAndPackage    = toset(["arn:aws:s3:::scripts/glue/embeddings_load.py", "arn:aws:s3:::scripts/glue/embeddings_load.zip"])
      ReadSources             = toset(["arn:aws:s3:::given/embeddings/*", "arn:aws:s3:::lake/*"])
      KeepResults             = toset(["arn:aws:s3:::artifacts/loads/*"])
      ReadDatabaseCredentials = toset(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-2"])
    }
    error_message = "script, package, sources, results and secret must be named exactly"
  }

  assert {
    condition = { for s in data.aws_iam_policy_document.loader.statement : one(s.resources) => one(one(s.condition).values) if s.actions == toset(["s3:ListBucket"]) } == {
      "arn:aws:s3:::given" = "embeddings/*"
      "arn:aws:s3:::lake"  = "*"
    }
    error_message = "of each bucket only the given prefix may be listed"
  }
}

run "sits_in_the_network_as_a_client_of_the_database" {
  command = apply

  assert {
    condition     = aws_glue_job.embeddings.connections == tolist([aws_glue_connection.database.name]) && one(aws_glue_connection.database.physical_connection_requirements).security_group_id_list == toset([aws_security_group.job.id, "sg-client"])
    error_message = "the workers must wear the group that the database admits"
  }

  assert {
    condition     = aws_glue_connection.database.connection_type == "NETWORK" && length(coalesce(aws_glue_connection.database.connection_properties, {})) == 0
    error_message = "the connection must hold no login"
  }
}

run "is_told_where_the_database_is_and_that_it_must_be_verified" {
  command = apply

  assert {
    condition = { for name, value in aws_glue_job.embeddings.default_arguments : name => value if startswith(name, "--database") } == {
      "--database_host"       = "database.example.internal"
      "--database_port"       = "5432"
      "--database_name"       = "vectors"
      "--database_secret_arn" = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-2"
      "--database_sslmode"    = "verify-full"
    }
    error_message = "address and secret must reach the job, and TLS must be verified unless told otherwise"
  }

  assert {
    condition     = output.load_job_name == "vectorops-test-embeddings-load" && output.load_results_url == "s3://artifacts/loads/" && aws_glue_job.embeddings.default_arguments["--results"] == output.load_results_url
    error_message = "what starts the job and reads its result must be outputs"
  }
}

run "rejects_a_source_that_names_no_bucket" {
  command = plan

  variables {
    loader = {
      script_path    = "tests/script.py"
      package_path   = "tests/package.zip"
      results_bucket = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
      sources        = ["s3://lake/"]
      max_streams    = 0
      database       = { host = "h", port = 5432, name = "n", secret_arn = "a", client_security_group_id = "sg" }
    }
  }

  expect_failures = [var.loader]
}
