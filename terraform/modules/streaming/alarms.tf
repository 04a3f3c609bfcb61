locals {
  delivery_dimensions = { DeliveryStreamName = aws_kinesis_firehose_delivery_stream.recommendations.name }

  alarms = {
    # Firehose reads even a stream that nobody writes to. When it has stopped, there is nothing to measure, and the
    # alarm says so as missing data.
    iterator-age = {
      description = "Events have waited more than ${var.iterator_age_alarm_seconds} s in ${local.stream_name}, which keeps them for ${var.retention_hours} hours"
      namespace   = "AWS/Kinesis"
      metric      = "GetRecords.IteratorAgeMilliseconds"
      dimensions  = { StreamName = aws_kinesis_stream.activity.name }
      statistic   = "Maximum"
      comparison  = "GreaterThanThreshold"
      threshold   = var.iterator_age_alarm_seconds * 1000
      missing     = "missing"
    }
    freshness = {
      description = "Events reach S3 more than five minutes later than the buffering hints of ${local.delivery_name} explain"
      namespace   = "AWS/Firehose"
      metric      = "DeliveryToS3.DataFreshness"
      dimensions  = local.delivery_dimensions
      statistic   = "Maximum"
      comparison  = "GreaterThanThreshold"
      threshold   = var.transform_buffer_seconds + var.delivery_buffer_seconds + 300 # in s
      missing     = "notBreaching"
    }
    # The share of calls that succeeded, retries included. What a batch fails with comes back in the error objects.
    failed-batches = {
      description = "The transform failed whole batches of ${local.delivery_name}"
      namespace   = "AWS/Firehose"
      metric      = "ExecuteProcessing.Success"
      dimensions  = local.delivery_dimensions
      statistic   = "Minimum"
      comparison  = "LessThanThreshold"
      threshold   = 1
      missing     = "notBreaching"
    }
    # Firehose counts no single records that failed; the transform does.
    failed-records = {
      description = "Events could not be transformed, and are in ${local.errors_prefix} of the recommendations bucket"
      namespace   = module.transform.metrics_namespace
      metric      = "FailedRecords"
      dimensions  = { service = module.transform.metrics_service }
      statistic   = "Sum"
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      missing     = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${local.delivery_name}-${each.key}"
  alarm_description = "${each.value.description}. Next: vectorops stream status"

  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing

  alarm_actions             = [var.alerts_topic_arn]
  ok_actions                = [var.alerts_topic_arn]
  insufficient_data_actions = each.value.missing == "missing" ? [var.alerts_topic_arn] : []

  tags = var.tags
}
