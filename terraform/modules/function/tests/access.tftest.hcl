mock_provider "aws" {
  source = "../../tests/mocks"

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/vectorops-test-transform" }
  }
}

variables {
  client_security_group_ids = ["sg-database-client"]
  readable_secrets          = [{ arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:login" }]
  readable_objects          = { models = { bucket_arn = "arn:aws:s3:::artifacts", prefix = "model/" } }
}

run "the_function_sits_in_the_private_subnets_and_wears_its_groups" {
  command = apply

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"]) && aws_lambda_function.this.vpc_config[0].security_group_ids == toset([aws_security_group.this.id, "sg-database-client"])
    error_message = "the function must sit in all private subnets, in its own group and those given"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.to_s3.prefix_list_id == "pl-1" && aws_vpc_security_group_egress_rule.to_endpoints.referenced_security_group_id == "sg-endpoints"
    error_message = "its own group must let it out to S3 and the endpoints"
  }

  assert {
    condition     = alltrue([for rule in [aws_vpc_security_group_egress_rule.to_s3, aws_vpc_security_group_egress_rule.to_endpoints] : rule.security_group_id == aws_security_group.this.id && rule.from_port == 443 && rule.to_port == 443 && rule.cidr_ipv4 == null])
    error_message = "and only by HTTPS"
  }
}

run "the_code_may_log_and_read_what_is_listed_and_nothing_else" {
  command = apply

  assert {
    condition = { for s in data.aws_iam_policy_document.work.statement : s.sid => { actions = s.actions, resources = s.resources } } == {
      WriteLogs   = { actions = toset(["logs:CreateLogStream", "logs:PutLogEvents"]), resources = toset(["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/vectorops-test-transform:*"]) }
      ReadSecrets = { actions = toset(["secretsmanager:GetSecretValue"]), resources = toset(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:login"]) }
      ReadModels  = { actions = toset(["s3:GetObject"]), resources = toset(["arn:aws:s3:::artifacts/model/*"]) }
      ListModels  = { actions = toset(["s3:ListBucket"]), resources = toset(["arn:aws:s3:::artifacts"]) }
      WriteTraces = { actions = toset(["xray:PutTraceSegments", "xray:PutTelemetryRecords"]), resources = toset(["*"]) }
    }
    error_message = "log group, secret, prefix and bucket must be named exactly; only traces have no resource"
  }

  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.work.statement : s.condition if s.sid == "ListModels"])) == { test = "StringLikeIfExists", variable = "s3:prefix", values = tolist(["model/*"]) }
    error_message = "a listing must keep to the prefix"
  }
}

run "without_anything_to_read_or_trace_there_is_no_permission_to" {
  command = apply

  variables {
    readable_secrets = []
    readable_objects = {}
    enable_tracing   = false
  }

  assert {
    condition     = data.aws_iam_policy_document.work.statement[*].sid == tolist(["WriteLogs"])
    error_message = "what is not asked for must not be allowed"
  }
}

run "a_secret_under_its_own_key_can_be_decrypted" {
  command = apply

  variables {
    readable_secrets = [
      { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:login" },
      { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:other", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/own" },
    ]
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.work.statement : s.resources if s.sid == "DecryptSecrets"]) == toset(["arn:aws:kms:eu-central-1:123456789012:key/own"])
    error_message = "the role must be able to decrypt with exactly that key"
  }
}

run "lambda_may_join_these_subnets_under_these_groups" {
  command = apply

  assert {
    condition = one([for s in data.aws_iam_policy_document.network.statement : s.resources if s.sid == "JoinSubnets"]) == toset([
      "arn:aws:ec2:eu-central-1:123456789012:network-interface/*",
      "arn:aws:ec2:eu-central-1:123456789012:security-group/${aws_security_group.this.id}",
      "arn:aws:ec2:eu-central-1:123456789012:security-group/sg-database-client",
      "arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-1",
      "arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-2",
    ])
    error_message = "interfaces may be made in the function's own subnets and groups only"
  }
}

run "the_code_may_not_use_what_lambda_may_do_to_the_network" {
  command = apply

  assert {
    condition = alltrue([for s in data.aws_iam_policy_document.network.statement :
      length(setsubtract([for action in s.actions : action if !startswith(action, "ec2:Describe")], one([for d in data.aws_iam_policy_document.network.statement : d.actions if d.effect == "Deny"]))) == 0
    ])
    error_message = "every action that changes the network must be denied to the code"
  }

  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.network.statement : s.condition if s.effect == "Deny"])) == { test = "ArnEquals", variable = "lambda:SourceFunctionArn", values = tolist(["arn:aws:lambda:eu-central-1:123456789012:function:vectorops-test-transform"]) }
    error_message = "the denial must be about calls of this function's code"
  }
}

run "rejects_prefixes_that_reach_further_than_they_look" {
  command = plan

  variables {
    readable_objects = { Models = { bucket_arn = "arn:aws:s3:::artifacts", prefix = "*" } }
  }

  expect_failures = [var.readable_objects]
}
