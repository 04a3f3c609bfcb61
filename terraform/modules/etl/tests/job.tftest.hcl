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

# Before any apply: an existing table is the job's.
run "another_partitioning_moves_its_columns" {
  command = plan

  variables {
    partition_by = ["country", "city"]
  }

  assert {
    condition     = [for key in aws_glue_catalog_table.ratings.partition_keys : "${key.name} ${key.type}"] == ["country string", "city string"]
    error_message = "the table must be partitioned as asked"
  }

  assert {
    condition     = length(aws_glue_catalog_table.ratings.storage_descriptor[0].columns) == 11 && !contains(aws_glue_catalog_table.ratings.storage_descriptor[0].columns[*].name, "country")
    error_message = "the partition columns must not be among the others"
  }

  assert {
    condition     = aws_glue_job.ratings.default_arguments["--partition_by"] == "country,city"
    error_message = "the job must partition as asked"
  }
}

run "the_data_need_not_be_partitioned" {
  command = plan

  variables {
    partition_by = []
  }

  assert {
    condition     = aws_glue_job.ratings.default_arguments["--partition_by"] == "none" && length(aws_glue_catalog_table.ratings.partition_keys) == 0
    error_message = "without columns to partition by, the job must be told so, and the table has no keys"
  }
}

run "the_job_runs_the_uploaded_script_under_its_own_role" {
  command = apply

  assert {
    condition     = aws_glue_job.ratings.name == "vectorops-test-ratings-etl" && aws_glue_job.ratings.role_arn == aws_iam_role.job.arn
    error_message = "name and role of the job are the module's own"
  }

  assert {
    condition     = aws_glue_job.ratings.command[0].script_location == "s3://scripts/glue/ratings_etl.py" && aws_glue_job.ratings.command[0].name == "glueetl"
    error_message = "the job must run the uploaded script on Spark"
  }

  assert {
    condition     = aws_glue_job.ratings.glue_version == "5.1" && aws_glue_job.ratings.worker_type == "G.1X" && aws_glue_job.ratings.number_of_workers == 2
    error_message = "the defaults are Glue 5.1 and two G.1X workers"
  }

  assert {
    condition     = aws_glue_job.ratings.timeout == 60 && aws_glue_job.ratings.max_retries == 0 && aws_glue_job.ratings.execution_property[0].max_concurrent_runs == 1
    error_message = "a run must end after an hour, not be repeated, and be alone, unless asked otherwise"
  }
}

run "a_changed_script_is_a_changed_plan" {
  command = plan

  assert {
    condition     = aws_s3_object.script.etag == filemd5("tests/script.py")
    error_message = "the uploaded object must follow the script's content, and nothing else"
  }
}

run "the_job_is_told_where_everything_is" {
  command = apply

  assert {
    condition = {
      for key in ["connection_name", "source_database", "data_lake_path", "catalog_database", "catalog_table", "partition_by", "max_partitions"] :
      key => aws_glue_job.ratings.default_arguments["--${key}"]
      } == {
      connection_name  = "vectorops-test-source"
      source_database  = "classicmodels"
      data_lake_path   = "s3://lake/ratings_ml_training/"
      catalog_database = "vectorops_test"
      catalog_table    = "ratings_ml_training"
      partition_by     = "customerNumber"
      max_partitions   = "1000"
    }
    error_message = "the job's arguments must name the deployed resources"
  }

  assert {
    condition     = aws_glue_job.ratings.connections == tolist([output.glue_connection_name])
    error_message = "the job must use the connection, or it runs outside the network"
  }

  assert {
    condition     = aws_glue_job.ratings.default_arguments["--spark-event-logs-path"] == "s3://scripts/logs/spark-ui/" && aws_glue_job.ratings.default_arguments["--enable-job-insights"] == "true"
    error_message = "event logs go where they expire, and job insights are on"
  }
}

run "no_fault_in_the_data_is_tolerated_by_default" {
  command = plan

  assert {
    condition     = alltrue([for fault in ["null_keys", "bad_ratings", "orphans", "duplicates"] : aws_glue_job.ratings.default_arguments["--max_${fault}"] == "0"])
    error_message = "every quality limit must be 0 unless set"
  }
}

run "quality_limits_reach_the_job" {
  command = plan

  variables {
    quality_limits = { orphans = "0.5%", bad_ratings = 25 }
  }

  assert {
    condition     = aws_glue_job.ratings.default_arguments["--max_orphans"] == "0.5%" && aws_glue_job.ratings.default_arguments["--max_bad_ratings"] == "25" && aws_glue_job.ratings.default_arguments["--max_duplicates"] == "0"
    error_message = "a limit that is set must reach the job, and leave the others alone"
  }
}

run "the_table_has_the_columns_of_the_training_data" {
  command = plan

  assert {
    condition = [for column in aws_glue_catalog_table.ratings.storage_descriptor[0].columns : "${column.name} ${column.type}"] == [
      "city string", "state string", "postalcode string", "country string", "creditlimit decimal(10,2)",
      "productcode string", "productline string", "productscale string", "quantityinstock int",
      "buyprice decimal(10,2)", "msrp decimal(10,2)", "productrating int",
    ]
    error_message = "the table must have the twelve columns that are not in the folder's name, in order"
  }

  assert {
    condition     = [for key in aws_glue_catalog_table.ratings.partition_keys : "${key.name} ${key.type}"] == ["customernumber int"]
    error_message = "the table must be partitioned by the customer"
  }
}

run "the_table_lies_where_the_job_writes" {
  command = plan

  assert {
    condition     = aws_glue_catalog_table.ratings.storage_descriptor[0].location == aws_glue_job.ratings.default_arguments["--data_lake_path"]
    error_message = "the table must lie where the job writes"
  }

  assert {
    condition     = aws_glue_crawler.ratings.catalog_target[0].tables == tolist([aws_glue_catalog_table.ratings.name])
    error_message = "the crawler must look where the table lies"
  }
}

run "runs_by_hand_only_unless_scheduled" {
  command = plan

  assert {
    condition     = length(aws_glue_trigger.schedule) == 0
    error_message = "no schedule, no trigger"
  }
}

run "runs_when_scheduled" {
  command = plan

  variables {
    schedule = "cron(15 2 * * ? *)"
  }

  assert {
    condition     = aws_glue_trigger.schedule[0].schedule == "cron(15 2 * * ? *)" && aws_glue_trigger.schedule[0].actions[0].job_name == "vectorops-test-ratings-etl"
    error_message = "the trigger must start the job when asked"
  }
}

run "a_failed_run_of_either_job_is_told_to_the_topic" {
  command = apply

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.failed_run.event_pattern).detail == {
      jobName = ["vectorops-test-ratings-etl", "vectorops-test-embeddings-load"]
      state   = ["FAILED", "TIMEOUT"]
    }
    error_message = "the rule must match failed and timed-out runs of both jobs"
  }

  assert {
    condition     = aws_cloudwatch_event_target.alerts.arn == output.alerts_topic_arn && aws_cloudwatch_event_target.alerts.rule == aws_cloudwatch_event_rule.failed_run.name
    error_message = "the rule must lead to the topic"
  }

  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == aws_kms_key.alerts.arn
    error_message = "the topic must be encrypted under the module's own key"
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.alerts_topic.statement[0].condition).values == tolist([aws_cloudwatch_event_rule.failed_run.arn])
      && data.aws_iam_policy_document.alerts_topic.statement[0].actions == toset(["sns:Publish"])
    )
    error_message = "of all rules only that one may publish to the topic"
  }
}

run "alarms_of_the_deployment_and_no_others_may_use_the_topic" {
  command = apply

  assert {
    condition     = [for s in data.aws_iam_policy_document.alerts_topic.statement : one(one(s.principals).identifiers)] == ["events.amazonaws.com", "cloudwatch.amazonaws.com"]
    error_message = "EventBridge and CloudWatch may publish, and nobody else"
  }

  assert {
    condition = alltrue([for s in [data.aws_iam_policy_document.alerts_topic.statement[1], one([for s in data.aws_iam_policy_document.alerts_key.statement : s if s.sid == "EncryptAlarms"])] :
      { for c in s.condition : c.variable => "${c.test} ${one(c.values)}" } == {
        "aws:SourceAccount" = "StringEquals 123456789012"
        "aws:SourceArn"     = "ArnLike arn:aws:cloudwatch:eu-central-1:123456789012:alarm:vectorops-test-*"
      }
    ])
    error_message = "topic and key must ask CloudWatch for an alarm whose name starts with the deployment's prefix"
  }
}

run "rejects_what_the_job_could_not_work_with" {
  command = plan

  variables {
    script_path    = "tests/no-such-script.py"
    partition_by   = ["customernumber"]
    quality_limits = { orphans = -1 }
    max_partitions = 0
  }

  expect_failures = [
    var.script_path,
    var.partition_by,
    var.quality_limits,
    var.max_partitions,
  ]
}

run "rejects_settings_glue_would_refuse" {
  command = plan

  variables {
    timeout_minutes     = 2881
    worker_count        = 1
    worker_type         = "Z.2X"
    glue_version        = "4.0"
    schedule            = "cron(15 2 * * ?)"
    max_retries         = 11
    max_concurrent_runs = 0
  }

  expect_failures = [
    var.timeout_minutes,
    var.worker_count,
    var.worker_type,
    var.glue_version,
    var.schedule,
    var.max_retries,
    var.max_concurrent_runs,
  ]
}

run "rejects_partitioning_twice_by_the_same_column" {
  command = plan

  variables {
    partition_by = ["country", "country"]
  }

  expect_failures = [var.partition_by]
}

run "further_arguments_reach_the_job" {
  command = plan

  variables {
    extra_arguments = { "--keep_snapshots" = "2" }
  }

  assert {
    condition     = aws_glue_job.ratings.default_arguments["--keep_snapshots"] == "2" && aws_glue_job.ratings.default_arguments["--catalog_table"] == "ratings_ml_training"
    error_message = "further arguments must be added to the module's own"
  }
}

run "rejects_an_argument_that_would_lead_the_job_elsewhere" {
  command = plan

  variables {
    extra_arguments = { "--data_lake_path" = "s3://elsewhere/" }
  }

  expect_failures = [var.extra_arguments]
}
