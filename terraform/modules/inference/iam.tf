# For the users and roles that call the API. It is attached to nobody here.
data "aws_iam_policy_document" "caller" {
  statement {
    sid       = "CallUrl"
    actions   = ["lambda:InvokeFunctionUrl"]
    resources = [module.function.function_arn]

    condition {
      test     = "StringEquals"
      variable = "lambda:FunctionUrlAuthType"
      values   = ["AWS_IAM"]
    }
  }

  # URLs made since October 2025 ask for both.
  statement {
    sid       = "CallFunctionThroughUrl"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.function.function_arn]

    condition {
      test     = "Bool"
      variable = "lambda:InvokedViaFunctionUrl"
      values   = ["true"]
    }
  }
}

resource "aws_iam_policy" "caller" {
  name        = "${module.function.function_name}-caller"
  description = "Lets a user or role call the API of ${module.function.function_name}, signed."
  policy      = data.aws_iam_policy_document.caller.json

  tags = var.tags
}
