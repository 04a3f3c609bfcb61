mock_provider "aws" {
  source = "../../tests/mocks"

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/vectorops-test-transform" }
  }
}

run "the_function_runs_the_package_under_its_own_role_and_log_group" {
  command = apply

  assert {
    condition     = aws_lambda_function.this.function_name == "vectorops-test-transform" && aws_lambda_function.this.role == aws_iam_role.this.arn && aws_lambda_function.this.handler == "vectorops.functions.transform.handler"
    error_message = "name and role must be the module's own, the handler the given one"
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "functions run Python 3.13 on arm64 unless asked otherwise"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/${aws_lambda_function.this.function_name}" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "the log group must be the one Lambda writes to, and end some day"
  }
}

run "only_another_content_of_the_package_is_another_plan" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("tests/package.zip")
    error_message = "the function must follow the package's content, as Lambda hashes it"
  }
}

run "defaults_leave_time_and_room" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.memory_size == 1024 && aws_lambda_function.this.timeout == 60 && aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "the defaults are 1024 MB, a minute, and the account's concurrency"
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "X-Ray is on unless asked otherwise"
  }
}

run "what_is_asked_for_reaches_the_function" {
  command = plan

  variables {
    architecture         = "x86_64"
    memory_mb            = 1769
    timeout_seconds      = 300
    reserved_concurrency = 0
    enable_tracing       = false
    log_retention_days   = 90
    environment          = { ITEM_LIMIT = "7" }
  }

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["x86_64"]) && aws_lambda_function.this.memory_size == 1769 && aws_lambda_function.this.timeout == 300
    error_message = "architecture, memory and timeout must reach the function"
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 0
    error_message = "a concurrency of 0 stops a function, and is not the same as none"
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "PassThrough" && aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "tracing and retention must reach the function"
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      ITEM_LIMIT                   = "7"
      POWERTOOLS_METRICS_NAMESPACE = "vectorops-test"
      POWERTOOLS_SERVICE_NAME      = "transform"
    })
    error_message = "the function is told what it was given, and what its metrics are called"
  }
}

run "errors_throttles_and_long_invocations_are_told_to_the_topic" {
  command = apply

  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => "${alarm.statistic} ${alarm.metric_name} > ${alarm.threshold}" } == {
      errors    = "Sum Errors > 0"
      throttles = "Sum Throttles > 0"
      duration  = "Maximum Duration > 48000"
    }
    error_message = "each alarm must watch its own metric; duration is in ms, four fifths of the minute's timeout"
  }

  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.namespace == "AWS/Lambda"
      && alarm.dimensions == tomap({ FunctionName = "vectorops-test-transform" })
      && alarm.comparison_operator == "GreaterThanThreshold"
      && alarm.alarm_actions == toset([var.alerts_topic_arn])
      && alarm.treat_missing_data == "notBreaching"
    ])
    error_message = "every alarm must be about this function, and lead to the topic"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : startswith(alarm.alarm_name, "vectorops-test-")])
    error_message = "the topic accepts alarms by the start of their name"
  }
}

run "rejects_what_there_is_no_package_for" {
  command = plan

  variables {
    package_path = "tests/no-such-package.zip"
  }

  expect_failures = [var.package_path]
}

run "rejects_settings_lambda_would_refuse" {
  command = plan

  variables {
    name                 = "Transform"
    handler              = "transform"
    architecture         = "aarch64"
    memory_mb            = 64
    timeout_seconds      = 901
    reserved_concurrency = -1
    environment          = { AWS_REGION = "us-east-1" }
    log_retention_days   = 31

    client_security_group_ids = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"]
  }

  expect_failures = [
    var.name,
    var.handler,
    var.architecture,
    var.memory_mb,
    var.timeout_seconds,
    var.reserved_concurrency,
    var.environment,
    var.log_retention_days,
    var.client_security_group_ids,
  ]
}
