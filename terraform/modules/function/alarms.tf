locals {
  alarms = {
    errors = {
      description = "raised an error or ran out of time"
      metric      = "Errors"
      statistic   = "Sum"
      threshold   = 0
    }
    throttles = {
      description = "was called more often at once than its concurrency or the account's allows"
      metric      = "Throttles"
      statistic   = "Sum"
      threshold   = 0
    }
    duration = {
      description = "took more than four fifths of its timeout of ${var.timeout_seconds} s"
      metric      = "Duration"
      statistic   = "Maximum"
      threshold   = var.timeout_seconds * 800 # in ms
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${local.name}-${each.key}"
  alarm_description = "${local.name} ${each.value.description}. Next: look into the log group ${aws_cloudwatch_log_group.this.name}."

  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching" # a function that nobody calls has no metrics

  alarm_actions = [var.alerts_topic_arn]
  ok_actions    = [var.alerts_topic_arn]

  tags = var.tags
}
