data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  stream_name   = "${var.name_prefix}-activity"
  delivery_name = "${var.name_prefix}-recommendations"

  recommendations_prefix = "recommendations/"
  errors_prefix          = "errors/"

  # A folder an hour in UTC, as Firehose makes them unasked. The catalog's table computes the same names.
  hour_format = "yyyy/MM/dd/HH"

  # The provider sends the defaults that are not said (AWS takes both hints or neither), and forgets them when it reads:
  # an explicit default would be a change in every plan.
  transform_defaults = {
    BufferSizeInMBs         = 1
    BufferIntervalInSeconds = 60
    NumberOfRetries         = 3
  }
  transform_hints = {
    BufferSizeInMBs         = var.transform_buffer_mb
    BufferIntervalInSeconds = var.transform_buffer_seconds
    NumberOfRetries         = var.transform_retries
  }
}

resource "aws_kinesis_stream" "activity" {
  name             = local.stream_name
  shard_count      = var.shard_count
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = coalesce(var.kms_key_arn, "alias/aws/kinesis")

  stream_mode_details {
    stream_mode = var.shard_count == null ? "ON_DEMAND" : "PROVISIONED"
  }

  tags = var.tags
}

resource "aws_cloudwatch_log_group" "delivery" {
  name              = "/aws/kinesisfirehose/${local.delivery_name}"
  retention_in_days = var.log_retention_days

  tags = var.tags
}

# Firehose does not make its log stream, and says nothing when there is none.
resource "aws_cloudwatch_log_stream" "delivery" {
  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

resource "aws_kinesis_firehose_delivery_stream" "recommendations" {
  name        = local.delivery_name
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.activity.arn
    role_arn           = aws_iam_role.source.arn
  }

  extended_s3_configuration {
    role_arn           = aws_iam_role.delivery.arn
    bucket_arn         = var.recommendations_bucket.arn
    buffering_size     = var.delivery_buffer_mib
    buffering_interval = var.delivery_buffer_seconds
    compression_format = var.compression

    prefix              = "${local.recommendations_prefix}!{timestamp:${local.hour_format}}/"
    error_output_prefix = "${local.errors_prefix}!{firehose:error-output-type}/!{timestamp:${local.hour_format}}/"

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery.name
    }

    processing_configuration {
      enabled = true

      processors {
        type = "Lambda"

        parameters {
          parameter_name  = "LambdaArn"
          parameter_value = local.transform_arn
        }

        dynamic "parameters" {
          for_each = { for name, value in local.transform_hints : name => value if value != local.transform_defaults[name] }

          content {
            parameter_name  = parameters.key
            parameter_value = tostring(parameters.value)
          }
        }
      }

      # One JSON object a line.
      processors {
        type = "AppendDelimiterToRecord"

        parameters {
          parameter_name  = "Delimiter"
          parameter_value = "\\n"
        }
      }
    }
  }

  tags = var.tags

  # Firehose tries its roles when the delivery stream is made.
  depends_on = [
    aws_iam_role_policy.delivery,
    aws_iam_role_policy.source,
  ]
}
