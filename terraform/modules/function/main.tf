locals {
  name = "${var.name_prefix}-${var.name}"

  # Names under which Powertools writes the function's own metrics, into its log: they need neither a permission nor
  # a way out.
  telemetry = {
    POWERTOOLS_METRICS_NAMESPACE = var.name_prefix
    POWERTOOLS_SERVICE_NAME      = var.name
  }
}

# Under the name that Lambda writes to. The role may not make it, so that a late line after a destroy does not bring
# back a group that is kept for ever.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days

  tags = var.tags
}

resource "aws_lambda_function" "this" {
  function_name = local.name
  description   = var.description
  role          = aws_iam_role.this.arn

  runtime          = "python3.13"
  architectures    = [var.architecture]
  handler          = var.handler
  filename         = var.package_path
  source_code_hash = filebase64sha256(var.package_path)

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  environment {
    variables = merge(var.environment, local.telemetry)
  }

  vpc_config {
    subnet_ids         = var.network.subnet_ids
    security_group_ids = concat([aws_security_group.this.id], var.client_security_group_ids)
  }

  tracing_config {
    mode = var.enable_tracing ? "Active" : "PassThrough"
  }

  tags = var.tags

  # Lambda tries the role's network permissions when it makes the function, and makes the log group when there is none.
  depends_on = [
    aws_cloudwatch_log_group.this,
    aws_iam_role_policy.network,
    aws_iam_role_policy.work,
  ]
}
