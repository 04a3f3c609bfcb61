output "inference_function_name" {
  description = "Name of the function that answers."
  value       = module.function.function_name
}

output "inference_url" {
  description = "URL of the API; calls are signed with AWS Signature Version 4 for the service \"lambda\"."
  value       = aws_lambda_function_url.this.function_url
}

output "caller_policy_arn" {
  description = "ARN of the policy that users and roles need to call the API."
  value       = aws_iam_policy.caller.arn
}
