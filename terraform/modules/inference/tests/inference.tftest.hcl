mock_provider "aws" {
  source = "../../tests/mocks"

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/vectorops-test-inference" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-inference" }
  }
}

variables {
  name_prefix      = "vectorops-test"
  alerts_topic_arn = "arn:aws:sns:eu-central-1:123456789012:vectorops-test-alerts"
  function         = { package_path = "tests/package.zip" }
  network = {
    vpc_id                      = "vpc-1"
    subnet_ids                  = ["subnet-1", "subnet-2"]
    s3_prefix_list_id           = "pl-1"
    endpoints_security_group_id = "sg-endpoints"
  }
}

run "unsigned_calls_are_refused_where_the_lab_let_everybody_in" {
  command = apply

  assert {
    condition     = aws_lambda_function_url.this.authorization_type == "AWS_IAM"
    error_message = "the URL must ask for a signature"
  }

  assert {
    condition     = aws_lambda_function_url.this.function_name == "vectorops-test-inference" && output.inference_function_name == "vectorops-test-inference"
    error_message = "the URL must lead to the function"
  }

  assert {
    condition     = output.inference_url == aws_lambda_function_url.this.function_url
    error_message = "callers must be told the URL"
  }
}

run "callers_may_call_this_url_and_nothing_else" {
  command = apply

  assert {
    condition = { for s in data.aws_iam_policy_document.caller.statement : one(s.actions) => "${one(s.resources)} if ${one(s.condition).variable} is ${one(one(s.condition).values)}" } == {
      "lambda:InvokeFunctionUrl" = "arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-inference if lambda:FunctionUrlAuthType is AWS_IAM"
      "lambda:InvokeFunction"    = "arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-inference if lambda:InvokedViaFunctionUrl is true"
    }
    error_message = "the policy must hold the two permissions a URL asks for, on this function only"
  }
}

run "answers_of_500_and_more_are_told_to_the_topic" {
  command = apply

  assert {
    condition     = aws_cloudwatch_metric_alarm.server_errors.metric_name == "Url5xxCount" && aws_cloudwatch_metric_alarm.server_errors.dimensions == tomap({ FunctionName = "vectorops-test-inference" }) && aws_cloudwatch_metric_alarm.server_errors.threshold == 0
    error_message = "the alarm must watch the answers of this function"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.server_errors.alarm_actions == toset([var.alerts_topic_arn]) && startswith(aws_cloudwatch_metric_alarm.server_errors.alarm_name, "vectorops-test-")
    error_message = "the alarm must lead to the topic, which accepts alarms by the start of their name"
  }
}
