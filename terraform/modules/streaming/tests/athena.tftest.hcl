mock_provider "aws" {
  source = "../../tests/mocks"

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/kinesisfirehose/vectorops-test-recommendations" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-transform" }
  }
}

run "the_table_lies_where_firehose_delivers" {
  command = plan

  assert {
    condition     = aws_glue_catalog_table.recommendations.database_name == "vectorops_test" && output.recommendations_table == "recommendations"
    error_message = "the table must lie in the given database"
  }

  assert {
    condition     = aws_glue_catalog_table.recommendations.storage_descriptor[0].location == "s3://recommendations/${output.recommendations_prefix}"
    error_message = "the table must lie under the prefix that Firehose writes to"
  }

  assert {
    condition     = replace(aws_glue_catalog_table.recommendations.parameters["storage.location.template"], "$${datehour}", "!{timestamp:${aws_glue_catalog_table.recommendations.parameters["projection.datehour.format"]}}") == "s3://recommendations/${aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].prefix}"
    error_message = "the folders that the table computes must be those that Firehose makes"
  }
}

run "hours_are_found_without_a_crawler" {
  command = plan

  variables {
    table_days = 30
  }

  assert {
    condition = { for name, value in aws_glue_catalog_table.recommendations.parameters : name => value if startswith(name, "projection.") } == {
      "projection.enabled"                = "true"
      "projection.datehour.type"          = "date"
      "projection.datehour.format"        = "yyyy/MM/dd/HH"
      "projection.datehour.range"         = "NOW-30DAYS,NOW"
      "projection.datehour.interval"      = "1"
      "projection.datehour.interval.unit" = "HOURS"
    }
    error_message = "every hour of the last days must be a partition, and none before"
  }

  assert {
    condition     = [for key in aws_glue_catalog_table.recommendations.partition_keys : "${key.name} ${key.type}"] == ["datehour string"]
    error_message = "the hour must be the only partition key"
  }
}

run "the_table_has_the_fields_of_a_recommendation" {
  command = plan

  assert {
    condition = { for column in aws_glue_catalog_table.recommendations.storage_descriptor[0].columns : column.name => column.type } == {
      session_id        = "string"
      customer_number   = "string"
      city              = "string"
      country           = "string"
      credit_limit      = "string"
      browse_history    = "string"
      recommended_items = "array<struct<id:string,score:double>>"
      similar_items     = "struct<product_code:string,similar_items:array<struct<id:string,score:double>>>"
    }
    error_message = "what the sender decides is text, what the transform adds has its types"
  }

  assert {
    condition     = aws_glue_catalog_table.recommendations.parameters["classification"] == "json" && aws_glue_catalog_table.recommendations.storage_descriptor[0].ser_de_info[0].serialization_library == "org.openx.data.jsonserde.JsonSerDe"
    error_message = "the table must be read as JSON lines"
  }
}

run "an_event_that_names_a_field_twice_fails_no_query" {
  command = plan

  assert {
    condition     = aws_glue_catalog_table.recommendations.storage_descriptor[0].ser_de_info[0].parameters == tomap({ "case.insensitive" = "FALSE", "ignore.malformed.json" = "TRUE" })
    error_message = "the names of fields must be told apart by case, and what cannot be read must not end the query"
  }
}

run "queries_are_limited_whatever_the_client_asks_for" {
  command = plan

  variables {
    query_limit_gib = 2
  }

  assert {
    condition     = aws_athena_workgroup.recommendations.configuration[0].enforce_workgroup_configuration && aws_athena_workgroup.recommendations.configuration[0].bytes_scanned_cutoff_per_query == 2147483648
    error_message = "the workgroup must impose its limit on what a query scans"
  }

  assert {
    condition     = aws_athena_workgroup.recommendations.configuration[0].result_configuration[0].output_location == "s3://recommendations/athena-results/" && aws_athena_workgroup.recommendations.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_S3"
    error_message = "results must lie encrypted where they expire"
  }
}
