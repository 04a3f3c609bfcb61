module "function" {
  source = "../function"

  name_prefix  = var.name_prefix
  name         = "inference"
  description  = "Answers requests for user embeddings, recommendations and similar items."
  handler      = "vectorops.functions.inference.handler"
  package_path = var.function.package_path
  architecture = var.function.architecture

  memory_mb            = var.function.memory_mb
  timeout_seconds      = coalesce(var.function.timeout_seconds, 30)
  reserved_concurrency = var.function.reserved_concurrency
  environment          = var.function.environment

  network                   = var.network
  client_security_group_ids = var.function.client_security_group_ids
  readable_secrets          = var.function.readable_secrets
  readable_objects          = var.function.readable_objects

  log_retention_days = var.log_retention_days
  enable_tracing     = var.function.enable_tracing
  alerts_topic_arn   = var.alerts_topic_arn

  tags = var.tags
}

# A URL of Lambda's own rather than an API gateway: no price of its own, nothing between the caller's signature and the
# function, and no limit of 29 seconds.
resource "aws_lambda_function_url" "this" {
  function_name      = module.function.function_name
  authorization_type = "AWS_IAM"
}

# The function answers 503 itself when the database is away, which is no error of the function to Lambda.
resource "aws_cloudwatch_metric_alarm" "server_errors" {
  alarm_name        = "${module.function.function_name}-server-errors"
  alarm_description = "${module.function.function_name} answered with a status of 500 or more. Next: look into its log."

  namespace           = "AWS/Lambda"
  metric_name         = "Url5xxCount"
  dimensions          = { FunctionName = module.function.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  alarm_actions = [var.alerts_topic_arn]
  ok_actions    = [var.alerts_topic_arn]

  tags = var.tags
}
