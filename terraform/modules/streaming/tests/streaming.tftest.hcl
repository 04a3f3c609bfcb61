mock_provider "aws" {
  source = "../../tests/mocks"

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/kinesisfirehose/vectorops-test-recommendations" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-transform" }
  }
}

run "the_stream_follows_the_load_and_is_encrypted_by_default" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.activity.name == "vectorops-test-activity" && aws_kinesis_stream.activity.stream_mode_details[0].stream_mode == "ON_DEMAND" && aws_kinesis_stream.activity.shard_count == null
    error_message = "without a number of shards the stream must be on demand"
  }

  assert {
    condition     = aws_kinesis_stream.activity.encryption_type == "KMS" && aws_kinesis_stream.activity.kms_key_id == "alias/aws/kinesis" && aws_kinesis_stream.activity.retention_period == 24
    error_message = "the stream must be encrypted under AWS's own key, and keep events for a day"
  }
}

run "shards_make_the_stream_provisioned" {
  command = plan

  variables {
    shard_count     = 4
    retention_hours = 168
  }

  assert {
    condition     = aws_kinesis_stream.activity.stream_mode_details[0].stream_mode == "PROVISIONED" && aws_kinesis_stream.activity.shard_count == 4 && aws_kinesis_stream.activity.retention_period == 168
    error_message = "shards and retention must reach the stream"
  }
}

run "firehose_reads_the_stream_and_delivers_under_two_roles" {
  command = apply

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.kinesis_source_configuration).kinesis_stream_arn == aws_kinesis_stream.activity.arn
    error_message = "the delivery stream must read the stream"
  }

  assert {
    condition     = aws_iam_role.source.name == "vectorops-test-recommendations-source" && aws_iam_role.delivery.name == "vectorops-test-recommendations-delivery"
    error_message = "reading and delivering are two roles"
  }

  assert {
    condition = { for s in data.aws_iam_policy_document.source.statement : s.sid => s.resources } == {
      ReadStream = toset(["arn:aws:kinesis:eu-central-1:123456789012:stream/vectorops-test-activity"])
    }
    error_message = "the source role may read exactly this stream"
  }

  assert {
    condition = { for s in data.aws_iam_policy_document.delivery.statement : s.sid => s.resources } == {
      CallTransform = toset(["arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-transform:$LATEST"])
      WriteObjects  = toset(["arn:aws:s3:::recommendations/recommendations/*", "arn:aws:s3:::recommendations/errors/*"])
      FindBucket    = toset(["arn:aws:s3:::recommendations"])
      WriteLogs     = toset(["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/kinesisfirehose/vectorops-test-recommendations:log-stream:delivery"])
    }
    error_message = "the delivery role may call exactly the transform, and write to the two prefixes and the log stream"
  }
}

run "a_stream_under_its_own_key_can_be_decrypted" {
  command = apply

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/own"
  }

  assert {
    condition     = aws_kinesis_stream.activity.kms_key_id == "arn:aws:kms:eu-central-1:123456789012:key/own"
    error_message = "the stream must be encrypted under the given key"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.source.statement : "${one(s.resources)} by ${one(one(s.condition).values)}" if s.sid == "DecryptStream"]) == "arn:aws:kms:eu-central-1:123456789012:key/own by kinesis.eu-central-1.amazonaws.com"
    error_message = "the source role must be able to decrypt with exactly that key, by way of Kinesis"
  }
}

run "objects_land_under_year_month_day_and_hour" {
  command = plan

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].prefix == "recommendations/!{timestamp:yyyy/MM/dd/HH}/"
    error_message = "delivered objects lie in a folder an hour"
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].error_output_prefix == "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    error_message = "failed records lie elsewhere, by the type of the error"
  }

  assert {
    condition     = output.recommendations_prefix == "recommendations/" && output.errors_prefix == "errors/"
    error_message = "readers must be told the same prefixes"
  }
}

run "every_record_is_transformed_and_ends_its_line_where_the_lab_had_none" {
  command = apply

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].processing_configuration[0].processors[*].type == tolist(["Lambda", "AppendDelimiterToRecord"]) && aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].processing_configuration[0].enabled
    error_message = "the transform comes first, the end of the line second"
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].processing_configuration[0].processors[1].parameters).parameter_value == "\\n"
    error_message = "the delimiter must be a line break, in the spelling of Firehose"
  }

  assert {
    condition = { for parameter in aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].processing_configuration[0].processors[0].parameters : parameter.parameter_name => parameter.parameter_value } == {
      LambdaArn       = "arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-transform:$LATEST"
      BufferSizeInMBs = "0.5"
    }
    error_message = "the transform must be the module's own; hints that equal AWS's defaults would be a change in every plan"
  }
}

run "hints_and_retries_reach_firehose" {
  command = plan

  variables {
    transform_buffer_mb      = 1
    transform_buffer_seconds = 0
    transform_retries        = 5
    delivery_buffer_mib      = 64
    delivery_buffer_seconds  = 300
    compression              = "GZIP"
  }

  assert {
    condition = { for parameter in aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].processing_configuration[0].processors[0].parameters : parameter.parameter_name => parameter.parameter_value if parameter.parameter_name != "LambdaArn" } == {
      BufferIntervalInSeconds = "0"
      NumberOfRetries         = "5"
    }
    error_message = "hints that differ from AWS's defaults must reach Firehose"
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].buffering_size == 64 && aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].buffering_interval == 300 && aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].compression_format == "GZIP"
    error_message = "size, interval and compression of the objects must reach Firehose"
  }
}

run "objects_are_written_within_a_minute_and_uncompressed_by_default" {
  command = plan

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].buffering_size == 5 && aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].buffering_interval == 60 && aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].compression_format == "UNCOMPRESSED"
    error_message = "the defaults are 5 MiB or a minute, readable as they lie"
  }
}

run "firehose_logs_to_a_group_and_a_stream_that_exist_unlike_the_lab" {
  command = apply

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.recommendations.extended_s3_configuration[0].cloudwatch_logging_options) == { enabled = true, log_group_name = aws_cloudwatch_log_group.delivery.name, log_stream_name = aws_cloudwatch_log_stream.delivery.name }
    error_message = "the delivery stream must log where this module has made room"
  }

  assert {
    condition     = aws_cloudwatch_log_stream.delivery.log_group_name == "/aws/kinesisfirehose/vectorops-test-recommendations" && aws_cloudwatch_log_group.delivery.retention_in_days == 30
    error_message = "the log stream must lie in the group, which keeps a month"
  }
}

run "late_lost_and_failed_events_are_told_to_the_topic" {
  command = apply

  variables {
    transform_buffer_seconds = 30
    delivery_buffer_seconds  = 120
  }

  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => "${alarm.statistic} ${alarm.namespace} ${alarm.metric_name} ${alarm.comparison_operator} ${alarm.threshold}" } == {
      iterator-age   = "Maximum AWS/Kinesis GetRecords.IteratorAgeMilliseconds GreaterThanThreshold 600000"
      freshness      = "Maximum AWS/Firehose DeliveryToS3.DataFreshness GreaterThanThreshold 450"
      failed-batches = "Minimum AWS/Firehose ExecuteProcessing.Success LessThanThreshold 1"
      failed-records = "Sum vectorops-test FailedRecords GreaterThanThreshold 0"
    }
    error_message = "each alarm must watch its own metric; freshness allows for the buffering hints and five minutes"
  }

  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.dimensions } == {
      iterator-age   = tomap({ StreamName = "vectorops-test-activity" })
      freshness      = tomap({ DeliveryStreamName = "vectorops-test-recommendations" })
      failed-batches = tomap({ DeliveryStreamName = "vectorops-test-recommendations" })
      failed-records = tomap({ service = "transform" })
    }
    error_message = "each alarm must be about this stream, delivery stream or transform"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([var.alerts_topic_arn]) && startswith(alarm.alarm_name, "vectorops-test-")])
    error_message = "every alarm must lead to the topic, which accepts alarms by the start of their name"
  }

  assert {
    condition     = [for key, alarm in aws_cloudwatch_metric_alarm.this : key if alarm.insufficient_data_actions == toset([var.alerts_topic_arn])] == ["iterator-age"]
    error_message = "that Firehose has stopped reading must be told too"
  }
}

run "rejects_settings_aws_would_refuse" {
  command = plan

  variables {
    function                   = { package_path = "tests/package.zip", timeout_seconds = 301 }
    shard_count                = 0
    retention_hours            = 23
    transform_buffer_mb        = 0.1
    transform_buffer_seconds   = 901
    transform_retries          = -1
    delivery_buffer_mib        = 0
    delivery_buffer_seconds    = 1.5
    compression                = "Snappy"
    table_days                 = 0
    query_limit_gib            = 0
    iterator_age_alarm_seconds = 5
  }

  expect_failures = [
    var.function,
    var.shard_count,
    var.retention_hours,
    var.transform_buffer_mb,
    var.transform_buffer_seconds,
    var.transform_retries,
    var.delivery_buffer_mib,
    var.delivery_buffer_seconds,
    var.compression,
    var.table_days,
    var.query_limit_gib,
    var.iterator_age_alarm_seconds,
  ]
}
